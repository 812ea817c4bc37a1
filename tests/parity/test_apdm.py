"""The published library's values for the APDM recording of a two-minute walk, against ours."""

from __future__ import annotations

import gzip
import math

import pytest

from konectom import formats
from konectom.assessments import get_assessment
from konectom.recording import Recording
from tests.shared import KONECTOM, expected, needs_shared

pytestmark = needs_shared
LAST_DECIMAL = 1.0001e-3


def test_all_but_a_few_values_are_equal_and_those_differ_in_their_last_decimal() -> None:
    pytest.importorskip("h5py")
    path = KONECTOM / "apdm" / "2mwt" / "example.h5.gz"
    (recording,) = formats.read(gzip.decompress(path.read_bytes())).recordings
    assert isinstance(recording, Recording)
    measures = get_assessment("walk").run(recording).measures()
    mine = {entry.aliases["dispel"]: value for entry, value in measures if "dispel" in entry.aliases}
    theirs = {row["measure_id"]: float(row["value"]) for row in expected(path)}
    assert len(theirs) > 800
    assert set(mine) == set(theirs)
    unequal = {name for name, value in theirs.items() if not math.isclose(mine[name], value, rel_tol=1e-3)}
    assert len(unequal) < 0.01 * len(theirs)
    assert all(abs(mine[name] - theirs[name]) < LAST_DECIMAL for name in unequal)
