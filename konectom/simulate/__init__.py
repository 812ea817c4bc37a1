"""Synthetic patients and sessions with known truth: for the demonstration, and for tests of the whole way through.

``patients`` says how function goes over time, ``sessions`` makes bodies to upload, and one file for each assessment
turns a day's truth into a recording as a phone would send it. Nothing here describes a real person.
"""
