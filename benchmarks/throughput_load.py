"""Uploads made beforehand, and sending them over loopback as fast as they are taken, or at a given rate."""

from __future__ import annotations

import http.client
import struct
import threading
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import numpy as np
import orjson

from konectom.simulate.sessions import PHONE, SCHEMA, record

PLACES = 5
"""Decimals of a sample, as phones send them."""

GZIP_HEADER = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3))
"""No name, no time (RFC 1952, section 2.3)."""

BEGAN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def walking(seed: int = 1) -> dict[str, Any]:
    """Return a recording of two minutes of walking: 100 Hz, nine channels."""
    rng = np.random.default_rng(seed)
    made = record("walk", {"rate_hz": 100.0, "jitter_s": 0.0}, rng)
    streams = made["streams"]
    count = len(streams["accelerometer"]["t"])
    field = {axis: value + rng.normal(0.0, 0.5, count) for axis, value in zip("xyz", (20.0, -5.0, 43.0), strict=True)}
    kept = {name: streams[name] for name in ("accelerometer", "gyroscope")}
    kept["magnetometer"] = {"unit": "uT", "t": streams["accelerometer"]["t"], **field}
    for stream in kept.values():
        for axis in "xyz":
            stream[axis] = np.round(stream[axis], PLACES)
        times = np.asarray(stream.pop("t"))
        stream["rate_hz"], stream["t0"] = 100.0, float(np.round(times[0], PLACES))
    return made | {"streams": kept}


def session(number: int, recording: dict[str, Any]) -> dict[str, Any]:
    """Return a session that differs from the others by when it began."""
    return {
        "schema": SCHEMA,
        "started_at": (BEGAN + timedelta(minutes=number)).isoformat(),
        "time_zone": "Europe/Paris",
        "setting": "remote",
        "supervised": False,
        "device": PHONE,
        "recordings": [recording],
    }


def json_bodies(recording: dict[str, Any]) -> Callable[[int], bytes]:
    """Return what makes the compressed JSON body of a session by its number.

    What all have in common is compressed once: deflate lets pieces that were compressed apart follow each other
    (RFC 1951), and together they are one member of gzip (RFC 1952), as a phone sends it.
    """
    text = orjson.dumps(session(0, recording), option=orjson.OPT_SERIALIZE_NUMPY)
    mark = orjson.dumps({"recordings": 0})[1:-2]
    _, found, rest = text.partition(mark)
    assert found
    common = mark + rest
    packed = _deflated(common, zlib.Z_FINISH)

    def made(number: int) -> bytes:
        told = orjson.dumps({**session(number, recording), "recordings": None}).partition(mark)[0]
        check, length = zlib.crc32(common, zlib.crc32(told)), len(told) + len(common)
        return GZIP_HEADER + _deflated(told, zlib.Z_FULL_FLUSH) + packed + struct.pack("<II", check, length)

    assert zlib.decompress(made(0), zlib.MAX_WBITS | 16) == text
    return made


def _deflated(plain: bytes, end: int) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(plain) + packer.flush(end)


@dataclass
class Load:
    """How uploads reach a server: its port, the token of a phone, and what is sent."""

    port: int
    token: str
    body: Callable[[int], bytes]
    headers: dict[str, str]
    next_number: int = 0

    def prepared(self, count: int) -> list[bytes]:
        """Return so many bodies that were not sent yet."""
        numbers = range(self.next_number, self.next_number + count)
        self.next_number += count
        return [self.body(number) for number in numbers]

    def send(self, body: bytes) -> None:
        """Upload by a connection of its own, as each phone does: which process of the server takes it is open."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Authorization": f"Bearer {self.token}", **self.headers}
        with closing(connection):
            connection.request("PUT", f"/api/v1/sessions/{uuid4()}", body, headers)
            answer = connection.getresponse()
            told = answer.read()
        if answer.status != 201:
            raise RuntimeError(f"{answer.status} {told[:300]!r}")


def rate_of(load: Load, count: int, at_once: int) -> float:
    """Return how many uploads a second are taken, so many at once: the next as soon as any is answered."""
    bodies = load.prepared(count)
    began = monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(load.send, bodies):
            pass
    return count / (monotonic() - began)


def evenly(rate: float, count: int) -> list[float]:
    """Return when each of so many uploads is due, in seconds from the first, one as long after the other."""
    return [number / rate for number in range(count)]


def by_chance(rate: float, count: int, seed: int = 1) -> list[float]:
    """Return when each is due where none knows of the others: as many a second in the long run (Poisson)."""
    times: list[float] = np.cumsum(np.random.default_rng(seed).exponential(1 / rate, count)).tolist()
    return times


def waits_at(load: Load, times: Sequence[float], at_once: int) -> list[float]:
    """Return how long each upload waited, in seconds, when they are due at these times.

    No more than ``at_once`` are under way. An upload waits from when it was due, also while it was held back by that: a
    slow answer puts off none of those that come later, and does not hide how long they wait.
    """
    count = len(times)
    bodies = load.prepared(count)
    waits: list[float] = [0.0] * count
    lock, upcoming = threading.Lock(), iter(range(count))
    began = monotonic() + 0.1

    def send() -> None:
        while True:
            with lock:
                number = next(upcoming, None)
            if number is None:
                break
            due = began + times[number]
            sleep(max(0.0, due - monotonic()))
            load.send(bodies[number])
            waits[number] = monotonic() - due

    threads = [threading.Thread(target=send) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits
