"""Whatever bytes stand in a table or an archive: a session or one of our refusals, and no more memory than allowed.

The damage is drawn from fixed seeds. What is looked at first is where formats keep lengths and places: begin and end.
"""

from __future__ import annotations

import random
from functools import cache

import pytest

from konectom import formats
from konectom.errors import KonectomError
from tests.formats.carried import FORMS, arrow_memory, damaged, outline_covers
from tests.formats.test_session1 import SESSION

TIMES = 150
LIMITS = formats.Limits(max_inflated_bytes=4 * 1024 * 1024, max_values=100_000)
MOST_ARROW_BYTES = 16 * 1024 * 1024


@cache
def whole(form: str) -> bytes:
    """Return a small session with two recordings, one of which has parts."""
    recording = SESSION["recordings"][0]
    parts = {"assessment": "walk", "parts": [{"streams": recording["streams"]}, {"streams": {}}]}
    return FORMS[form]({**SESSION, "recordings": [recording, parts]})


@pytest.mark.parametrize("form", FORMS)
def test_damaged_bytes_are_refused_or_read(form: str) -> None:
    with arrow_memory() as pool:
        for seed in range(TIMES):
            body = damaged(whole(form), random.Random(f"{form} {seed}"))
            outline_covers(body, LIMITS)
    assert pool.max_memory() < MOST_ARROW_BYTES


@pytest.mark.parametrize("form", FORMS)
def test_so_are_those_that_are_read_one_by_one(form: str) -> None:
    for seed in range(TIMES // 4):
        body = damaged(whole(form), random.Random(f"{form} {seed}"))
        try:
            list(formats.recordings(body, limits=LIMITS))
        except KonectomError:
            continue
