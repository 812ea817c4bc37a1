"""Observations of a study's patients, many at once."""
