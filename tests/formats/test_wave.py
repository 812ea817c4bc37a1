"""WAV files: against Python's own writer, and whatever is no WAV."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest

from konectom.errors import AudioUndecodable
from konectom.formats._wave import open_wave

RATE_HZ = 8000
X = np.array([0, 1, -1, 127, -128], dtype=np.int64)


def written(values: np.ndarray, width: int, channels: int = 1) -> bytes:
    """Return whole numbers as Python's wave module writes them."""
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(RATE_HZ)
        unsigned = values + 128 if width == 1 else values
        file.writeframes(b"".join(int(value).to_bytes(width, "little", signed=width > 1) for value in unsigned))
    return held.getvalue()


def headed(tag: int, bits: int, data: bytes, more: bytes = b"", told: int | None = None) -> bytes:
    """Return a WAV file by hand."""
    form = struct.pack("<HHIIHH", tag, 1, RATE_HZ, RATE_HZ * bits // 8, bits // 8, bits) + more
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    chunks += b"data" + struct.pack("<I", len(data) if told is None else told) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_whole_numbers_of_each_width_are_shares_of_full_scale(width: int) -> None:
    scale = 2 ** (8 * (width - 1))
    found = open_wave(written(X * scale, width), "/x")
    assert (found.rate_hz, found.count) == (RATE_HZ, 5)
    np.testing.assert_array_equal(found.amplitudes(), X / 128.0)


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
def test_floats_are_taken_as_they_are(kind: str) -> None:
    values = np.array([0.0, 0.5, -1.0]).astype(kind)
    found = open_wave(headed(3, values.itemsize * 8, values.tobytes()), "/x")
    np.testing.assert_array_equal(found.amplitudes(), values)


def test_the_extensible_header_counts_by_the_format_inside_it() -> None:
    inside = struct.pack("<HHI", 22, 16, 4) + struct.pack("<H", 1) + bytes(14)
    np.testing.assert_array_equal(
        open_wave(headed(0xFFFE, 16, np.array([16384], "<i2").tobytes(), inside), "").amplitudes(), [0.5]
    )


def test_channels_are_averaged() -> None:
    found = open_wave(written(np.array([100, 50, -100, 0]) * 256, 2, channels=2), "/x")
    np.testing.assert_allclose(found.amplitudes(), np.array([75, -50]) * 256 / 32768)


def test_a_file_that_was_cut_or_never_completed_gives_what_came() -> None:
    body = written(X * 256, 2)
    assert open_wave(body[:-3], "/x").count == 3
    assert open_wave(headed(1, 16, bytes(10), told=0xFFFFFFFF), "/x").count == 5


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "empty"),
        (b"OggS" + bytes(40), "Ogg"),
        (b"\0\0\0\x20ftypM4A " + bytes(40), "MP4"),
        (b"ID3" + bytes(40), "MP3"),
        (b"fLaC" + bytes(40), "FLAC"),
        (b"#!AMR\n" + bytes(40), "AMR"),
        (b"\x1a\x45\xdf\xa3" + bytes(40), "WebM"),
        (bytes(40), "no form known here"),
        (headed(7, 8, bytes(8)), "mu-law"),
        (headed(0x55, 16, bytes(8)), "MP3"),
        (headed(0x1234, 16, bytes(8)), "0x1234"),
        (headed(1, 12, bytes(8)), "12 bits"),
        (headed(1, 16, bytes(8)).replace(b"data", b"gone"), "no samples"),
        (headed(1, 16, bytes(8)).replace(b"fmt ", b"gone"), "how its samples are coded"),
        (headed(1, 16, bytes(8)).replace(struct.pack("<I", RATE_HZ), bytes(4), 1), "at 0 Hz"),
    ],
)
def test_what_cannot_be_decoded_is_named(body: bytes, named: str) -> None:
    with pytest.raises(AudioUndecodable, match=named) as refused:
        open_wave(body, "/somewhere")
    assert refused.value.at == "/somewhere"


def test_a_wave_without_a_single_sample_is_empty() -> None:
    assert open_wave(headed(1, 16, b""), "").amplitudes().size == 0
