"""The same bytes give the same numbers to the last bit, whatever came before them and in whichever process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest

from konectom import formats
from konectom.assessments import every_assessment
from konectom.workflows.sessions.process import Extracted, extract_session
from tests.assessments.examples import example
from tests.shared import inflated, needs_shared, recordings

ROOT = Path(__file__).resolve().parents[2]
NAMES = tuple(every_assessment())
PRINT_DIGEST = """
import sys
from tests.promises.test_determinism import digests
for name, digest in digests(sys.stdin.buffer.read()):
    print(name, digest)
"""


def body_of(*names: str) -> bytes:
    """Return a session with an example of each of these assessments."""
    session = {
        "schema": "konectom.session/1",
        "started_at": "2026-01-01T09:00:00+01:00",
        "recordings": [example(name) for name in names],
    }
    return orjson.dumps(session, option=orjson.OPT_SERIALIZE_NUMPY)


def digests(body: bytes) -> list[tuple[str, str]]:
    """Return each recording's assessment and a hash over its numbers, reasons and flags."""
    found = []
    for each in extract_session(formats.read(body)):
        assert isinstance(each, Extracted), each
        told = orjson.dumps([each.result.quality.as_dict(), dict(each.result.absent)], option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(each.result.features.tobytes() + told).hexdigest()
        found.append((each.recording.assessment, digest))
    return found


def in_a_process_of_its_own(body: bytes, **environ: str) -> list[tuple[str, str]]:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST],
        cwd=ROOT,
        input=body,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        check=True,
        timeout=300,
    )
    return [(line.split()[0], line.split()[1]) for line in done.stdout.decode().splitlines()]


def test_the_order_of_recordings_does_not_matter() -> None:
    forward, backward = digests(body_of(*NAMES)), digests(body_of(*NAMES[::-1]))
    assert [name for name, _ in forward] == list(NAMES)
    assert forward == backward[::-1]
    mixed = np.random.default_rng(1).permutation(NAMES).tolist()
    assert dict(digests(body_of(*mixed))) == dict(forward)


def test_each_recording_is_the_same_alone_and_beside_itself() -> None:
    together = dict(digests(body_of(*NAMES)))
    for name in NAMES:
        assert digests(body_of(name, name)) == [(name, together[name])] * 2


@pytest.mark.parametrize("threads", ["1", "2"])
def test_another_process_computes_the_same(threads: str) -> None:
    body = body_of(*NAMES)
    other = in_a_process_of_its_own(body, PYTHONHASHSEED="7", OPENBLAS_NUM_THREADS=threads, TZ="Asia/Kathmandu")
    assert other == digests(body)


@needs_shared
def test_real_recordings_are_the_same_in_any_order() -> None:
    files = [paths[0] for task in ("CPS", "FINGERTAP", "PINCH", "TYPING", "PS") if (paths := recordings(f"bdh/{task}"))]
    forward = [digests(inflated(path)) for path in files]
    backward = [digests(inflated(path)) for path in reversed(files)]
    assert forward == backward[::-1]
