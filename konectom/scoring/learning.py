"""How a patient learns a test: the curve of practice over runs.

Two curves, both linear in what is left once their shape is fixed, so that no iterative optimiser is needed:

* ``inverse``: ``y = plateau - gain / x`` over the run ``x`` (from 1), the form of the published Konectom library: half of
  the gain is made by run 2, 90 % by run 10, whoever learns.
* ``exponential``: ``y = plateau - gain * 2 ** (-(x - 1) / half_runs)``, the bounded growth of Woelfle et al. (2021,
  doi:10.2196/30394): ``half_runs`` further runs make half of what is left.

``gain`` is signed as the score is: negative where lower is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2, sqrt
from typing import Literal

import numpy as np

from konectom.recording import FloatArray
from konectom.scoring.series import Better
from konectom.scoring.windows import MAD_TO_SD

Form = Literal["inverse", "exponential"]

LEAST_RUNS = 8
MOST_RUNS = 100
"""Later runs are left out: what happens there is the disease's course rather than practice."""

LATEST_START = 3
"""Where the first known run is a later one, the steep part of the curve was not seen."""

_LEAST_T = 3.0
_SHAPES = 48


@dataclass(frozen=True, slots=True)
class Learning:
    """A fitted curve. ``share`` is the part of the spread that it explains (R squared), over ``n`` runs.

    ``half_runs`` is the number of further runs in which half of what is left is gained; ``run_90`` the first run at
    which 90 % of the gain is made. ``left_out`` counts outliers.
    """

    form: Form
    plateau: float
    gain: float
    half_runs: float
    run_90: int
    share: float
    n: int
    left_out: int

    def at(self, run: FloatArray | float) -> FloatArray:
        """Return the curve's value at a run (from 1)."""
        x = np.asarray(run, dtype=np.float64)
        rest = 1.0 / x if self.form == "inverse" else np.exp2(-(x - 1.0) / self.half_runs)
        value: FloatArray = self.plateau - self.gain * rest
        return value

    @property
    def rate(self) -> float:
        """Return the gain over the plateau, the published library's learning rate."""
        return self.gain / self.plateau
