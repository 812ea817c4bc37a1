"""Tables of repeats with a known truth, and a check that no result holds NaN."""

from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def repeats(
    rng: np.random.Generator, n: int, k: int, *, between: float = 1.0, error: float = 0.6, shift: float = 0.0
) -> Floats:
    """Repeats of n patients; ``between`` is the SD of their true values, ``shift`` that of the repeats' own shifts."""
    patients = rng.normal(0, between, (n, 1))
    return 20 + patients + rng.normal(0, shift, (1, k)) + rng.normal(0, error, (n, k))


def coverage(intervals: list[tuple[float, float]], truth: float) -> float:
    """The share of intervals that hold the truth."""
    return float(np.mean([low <= truth <= high for low, high in intervals]))


def assert_finite(told: Any, at: str = "") -> None:
    """Fail where plain data hold a number that is none."""
    if isinstance(told, dict):
        for name, each in told.items():
            assert_finite(each, f"{at}/{name}")
    elif isinstance(told, list | tuple):
        for index, each in enumerate(told):
            assert_finite(each, f"{at}/{index}")
    elif isinstance(told, float):
        assert isfinite(told), at
