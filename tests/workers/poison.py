"""An assessment that does to its process what its first number says; workers under test find it as an entry point."""

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from konectom.assessments.base import Measure, assessment, motion

FINE, ENDS, HANGS, HUNGRY, BLOCKS = 1.0, 66.0, 67.0, 68.0, 69.0
GATES = "TEST_GATES"
"""Names the directory with the two pipes at which a blocking one meets the test."""


@assessment(
    "poison",
    version=1,
    title="Poison",
    domain="none",
    inputs=(motion("accelerometer", "m/s2"),),
    measures=(Measure("samples", "1", "Number of samples.", score=True),),
    quality=(),
)
def poison(recording: Any, out: Any) -> None:
    """Number of samples."""
    told = float(recording.parts[0].streams["accelerometer"].matrix()[0, 0])
    if told == ENDS:
        os._exit(9)
    if told == HANGS:
        threading.Event().wait()
    if told == HUNGRY:
        np.ones(2**40)
    if told == BLOCKS:
        _meet(Path(os.environ[GATES]))
    out("samples", len(recording.parts[0].streams["accelerometer"].matrix()))


def _meet(gates: Path) -> None:
    (gates / "begun").write_text(f"{os.getpid()}\n")
    go = os.open(gates / "go", os.O_RDONLY)
    os.read(go, 1)  # until the test has written it
    os.close(go)


def recording(what: float = FINE, samples: int = 4) -> dict[str, Any]:
    values = [what, *range(2, samples + 1)]
    stream = {"unit": "m/s2", "rate_hz": 100, "x": values, "y": [0.0] * samples, "z": [0.0] * samples}
    return {"assessment": "poison", "condition": {}, "streams": {"accelerometer": stream}}
