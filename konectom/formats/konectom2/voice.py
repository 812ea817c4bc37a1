"""The voice test of Konectom 2: what was said, as a WAV file in base64, without time stamps."""

from __future__ import annotations

import binascii
from typing import Any

import numpy as np

from konectom.errors import AudioUndecodable, ColumnMissing, FieldInvalid
from konectom.formats._shared import named, number
from konectom.formats._wave import Wave, open_wave
from konectom.formats.konectom2.level import Level
from konectom.recording import Part, Stream

EXERCISES = ("aah", "pataka")


def voice(levels: list[Level]) -> dict[str, list[Part]]:
    """Exercises of the voice, a level for each attempt. A level of another exercise costs the others nothing."""
    parts = []
    for level in levels:
        exercise = level.configuration.get("exercise_name")
        if exercise not in EXERCISES:
            at = f"{level.at}/configuration/exercise_name"
            level.fault = FieldInvalid(f"no such exercise_name: {named(exercise)}", at=at)
            continue
        condition = {"exercise": str(exercise)}
        attempt = level.configuration.get("attempt_number")
        if isinstance(attempt, int) and not isinstance(attempt, bool) and 0 < attempt < 1000:
            condition["attempt"] = str(attempt)
        audio = level.take("audio", "audio", read_audio)
        parts.append(level.part(condition, level.sensors() | audio, {}))
    return {"voice": parts} if parts else {}


def read_audio(level: Level, table: str) -> Stream:
    """Read the sound of a level; it begins with the level, as the file tells no other time."""
    held: Any = level.raw[table]
    at = level.place(table, "base64")
    if not isinstance(held, dict) or "base64" not in held:
        raise ColumnMissing(f"{table} has no base64", at=at)
    if not isinstance(held["base64"], str):
        raise AudioUndecodable(f"the audio is a text in base64, not {named(held['base64'])}", at=at)
    try:
        body = binascii.a2b_base64(held["base64"])
    except (binascii.Error, ValueError) as error:
        raise AudioUndecodable(f"the audio is not base64: {error}", at=at) from None
    wave = open_wave(body, at)
    _refuse_other_rate(held, wave, level, table)
    level.room.take_values(2 * wave.count, at)
    x = wave.amplitudes()
    t_s = level.start_s + np.arange(x.size) / wave.rate_hz
    return Stream("audio", t_s, {"amplitude": x}, {"amplitude": "1"})


def _refuse_other_rate(held: dict[str, Any], wave: Wave, level: Level, table: str) -> None:
    """Refuse audio whose level tells another rate than the WAV file itself."""
    told_hz = number(held.get("sample_rate"))
    if np.isfinite(told_hz) and told_hz != wave.rate_hz:
        raise AudioUndecodable(
            f"the level tells {told_hz:g} samples a second, its WAV file {wave.rate_hz}",
            at=level.place(table, "sample_rate"),
        )
