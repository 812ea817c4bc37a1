"""An example of each assessment from its simulator, and the ways in which recordings go wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import orjson

from konectom import formats
from konectom.assessments import get_assessment
from konectom.assessments._outcome import Result
from konectom.recording import Recording

Wire = dict[str, Any]


def example(name: str, seed: int = 0) -> Wire:
    """Return a simulated recording of the assessment as the wire carries it."""
    module = import_module(f"konectom.simulate.{name}")
    truth = getattr(module, f"{name.title().replace('_', '')}Truth")
    wire: Wire = getattr(module, f"simulate_{name}")(truth(), np.random.default_rng(seed))
    return wire


def parse(wire: Wire) -> Recording:
    """Return the recording as the reader understands it."""
    session = {
        "schema": "konectom.session/1",
        "started_at": "2026-01-01T09:00:00+01:00",
        "recordings": [wire],
    }
    (recording,) = formats.read(orjson.dumps(session, option=orjson.OPT_SERIALIZE_NUMPY)).recordings
    assert isinstance(recording, Recording), recording
    return recording


def run(wire: Wire) -> Result:
    """Return the result of a recording as the wire carries it."""
    return get_assessment(wire["assessment"]).run(parse(wire))


def holders(wire: Wire) -> list[Wire]:
    """Return what holds streams and events: the parts, or the recording itself."""
    return list(wire["parts"]) if "parts" in wire else [wire]


def tables(wire: Wire) -> Iterator[tuple[Wire, str]]:
    """Yield each stream as the object that holds it and its name."""
    for holder in holders(wire):
        for name in holder.get("streams", {}):
            yield holder["streams"], name


def sensors(wire: Wire) -> Iterator[Wire]:
    """Yield the streams of motion sensors."""
    for streams, name in tables(wire):
        if name not in ("touch", "gps"):
            yield streams[name]


def columns(stream: Wire) -> list[str]:
    """Return the names of the stream's columns, its times included."""
    return [name for name, values in stream.items() if isinstance(values, list)]


def with_times(stream: Wire) -> Wire:
    """Write a stream's rate out as time stamps."""
    if stream.get("t") is None:
        rows = len(next(values for values in stream.values() if isinstance(values, list)))
        rate_hz = stream.pop("rate_hz")
        stream["t"] = (stream.pop("t0", 0.0) + np.arange(rows) / rate_hz).tolist()
    return stream


def pick(stream: Wire, rows: Any) -> None:
    """Keep just these rows, in this order."""
    with_times(stream)
    for name in columns(stream):
        stream[name] = [stream[name][row] for row in rows]


def emptied(wire: Wire) -> Wire:
    """No sample, no event."""
    for streams, name in tables(wire):
        pick(streams[name], [])
    for holder in holders(wire):
        holder["events"] = []
    return wire


def one_row(wire: Wire) -> Wire:
    """One sample in each stream, one event."""
    for streams, name in tables(wire):
        pick(streams[name], [0])
    for holder in holders(wire):
        holder["events"] = holder.get("events", [])[:1]
    return wire


def with_holes(wire: Wire) -> Wire:
    """Every twentieth sample is missing."""
    for stream in sensors(wire):
        for name in set(columns(stream)) - {"t"}:
            stream[name] = [None if row % 20 == 7 else value for row, value in enumerate(stream[name])]
    return wire


def all_missing(wire: Wire) -> Wire:
    """Every sample of every sensor is null."""
    for stream in sensors(wire):
        for name in set(columns(stream)) - {"t"}:
            stream[name] = [None] * len(stream[name])
    return wire


def with_gap(wire: Wire) -> Wire:
    """The third quarter was not recorded."""
    for streams, name in tables(wire):
        rows = len(with_times(streams[name])["t"])
        pick(streams[name], [row for row in range(rows) if not rows // 2 <= row < 3 * rows // 4])
    return wire


def with_repeats(wire: Wire) -> Wire:
    """Every tenth sample came twice."""
    for stream in sensors(wire):
        rows = range(len(with_times(stream)["t"]))
        pick(stream, [row for each in rows for row in ([each, each] if each % 10 == 0 else [each])])
    return wire


def backwards(wire: Wire) -> Wire:
    """Samples and events came in reverse order."""
    for streams, name in tables(wire):
        pick(streams[name], range(len(with_times(streams[name])["t"]) - 1, -1, -1))
    for holder in holders(wire):
        holder["events"] = holder.get("events", [])[::-1]
    return wire


def jittered(wire: Wire) -> Wire:
    """Time stamps are off by up to a fifth of the sampling interval."""
    rng = np.random.default_rng(7)
    for stream in sensors(wire):
        t = np.array(with_times(stream)["t"])
        step_s = float(np.median(np.diff(t))) if len(t) > 1 else 0.0
        stream["t"] = (t + rng.uniform(-0.2, 0.2, len(t)) * step_s).tolist()
    return wire


def at_rate(rate_hz: float) -> Callable[[Wire], Wire]:
    """Sensors sampled at another rate, by linear interpolation."""

    def resample(wire: Wire) -> Wire:
        for stream in sensors(wire):
            t = np.array(with_times(stream)["t"])
            stream["t"] = (new := np.arange(t[0], t[-1], 1 / rate_hz)).tolist()
            for name in set(columns(stream)) - {"t"}:
                stream[name] = np.interp(new, t, np.array(stream[name], dtype=float)).tolist()
        return wire

    resample.__doc__ = f"Sensors sampled at {rate_hz:g} Hz."
    resample.__name__ = f"at_{rate_hz:g}_hz"
    return resample


def constant(wire: Wire) -> Wire:
    """Sensors that always give the same value."""
    for stream in sensors(wire):
        for name in set(columns(stream)) - {"t"}:
            stream[name] = [stream[name][0]] * len(stream[name])
    return wire


def huge(wire: Wire) -> Wire:
    """Values far outside what a sensor can give."""
    for stream in sensors(wire):
        for name in set(columns(stream)) - {"t"}:
            stream[name] = [value * 1e6 for value in stream[name]]
    return wire


def three_seconds(wire: Wire) -> Wire:
    """The recording ended after three seconds."""
    for streams, name in tables(wire):
        t = with_times(streams[name])["t"]
        pick(streams[name], [row for row, time in enumerate(t) if time < (t[0] if t else 0) + 3])
    for holder in holders(wire):
        first = min((event["t"] for event in holder.get("events", [])), default=0)
        holder["events"] = [event for event in holder.get("events", []) if event["t"] < first + 3]
    return wire


FAULTS: tuple[Callable[[Wire], Wire], ...] = (
    emptied,
    one_row,
    with_holes,
    all_missing,
    with_gap,
    with_repeats,
    backwards,
    jittered,
    at_rate(20),
    at_rate(60),
    at_rate(200),
    constant,
    huge,
    three_seconds,
)


def faulty(name: str, fault: Callable[[Wire], Wire]) -> Wire:
    """Return the example of an assessment after the fault."""
    return fault(copy.deepcopy(example(name)))
