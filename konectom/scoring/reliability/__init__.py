"""How far a score can be trusted: repeatability, measurement error, agreement, known groups, correlations.

Tables of repeats have the shape (patients, repeats), float64, NaN where a value is missing. Every result is frozen
and has ``as_dict``; what cannot be computed is None with a reason in plain words, never NaN.
"""
