"""Scores over years: what a series of values says of a patient, and what a study says of a score. Pure: numpy in,
results out.
"""
