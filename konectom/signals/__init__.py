"""Reusable maths: numpy in, numpy out. One file per idea; no file knows of assessments, formats or storage."""
