"""Sound files as bytes: WAV with plain samples is decoded; of anything else it is told what it is.

Plain samples are PCM of 8, 16, 24 or 32 bits (8 unsigned, the others signed, little-endian) and IEEE floats of 32 or
64 bits; the extensible header of WAV counts by the format inside it. Amplitudes are shares of full scale, from -1 to 1;
several channels are averaged. A file that ends early gives what came, as one whose header was never completed does.

Source: Multimedia Programming Interface and Data Specifications 1.0 (IBM and Microsoft, 1991); WAVEFORMATEXTENSIBLE.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from konectom.errors import AudioUndecodable
from konectom.formats._columns import LARGEST
from konectom.recording import FloatArray

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
CODECS = {
    2: "ADPCM",
    6: "A-law",
    7: "mu-law",
    0x11: "IMA ADPCM",
    0x31: "GSM 6.10",
    0x50: "MPEG",
    0x55: "MP3",
    0xFF: "AAC",
}
CONTAINERS = (
    (0, b"OggS", "Ogg (Opus or Vorbis)"),
    (0, b"fLaC", "FLAC"),
    (0, b"ID3", "MP3"),
    (0, b"\xff\xfb", "MP3"),
    (0, b"\xff\xf1", "AAC (ADTS)"),
    (0, b"\xff\xf9", "AAC (ADTS)"),
    (4, b"ftyp", "MP4 (AAC or ALAC)"),
    (0, b"caff", "Core Audio (CAF)"),
    (0, b"FORM", "AIFF"),
    (0, b"#!AMR", "AMR"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
)
MOST_CHANNELS = 8
SLOWEST_HZ, FASTEST_HZ = 1_000, 768_000


@dataclass(frozen=True, slots=True)
class Wave:
    """A WAV file whose samples have been found but not yet converted."""

    rate_hz: int
    channels: int
    kind: str
    data: memoryview

    @property
    def count(self) -> int:
        """How many samples there are in each channel."""
        return len(self.data) // (self.channels * int(self.kind[1:]))

    def amplitudes(self) -> FloatArray:
        """Return the samples (n) as shares of full scale."""
        width = int(self.kind[1:])
        values: FloatArray
        plain = self.data[: self.count * self.channels * width]
        if self.kind == "i3":
            # Each sample stands in the upper three bytes of four: so its sign is where it belongs.
            wide = np.zeros((self.count * self.channels, 4), dtype=np.uint8)
            wide[:, 1:] = np.frombuffer(plain, np.uint8).reshape(-1, 3)
            values = wide.view("<i4")[:, 0] / 2.0**31
        elif self.kind == "u1":
            values = (np.frombuffer(plain, np.uint8).astype(np.float64) - 128.0) / 128.0
        elif self.kind[0] == "i":
            values = np.frombuffer(plain, f"<{self.kind}").astype(np.float64) / 2.0 ** (8 * width - 1)
        else:
            values = np.frombuffer(plain, f"<{self.kind}").astype(np.float64)
            # What no converter gives is missing: its square would leave the range of numbers.
            values = np.where(np.abs(values) <= LARGEST, values, np.nan)
        return values.reshape(-1, self.channels).mean(axis=1) if self.channels > 1 else values


def open_wave(body: bytes, at: str) -> Wave:
    """Return the file's header and where its samples are; raise :class:`AudioUndecodable`, with ``at``."""
    if not body:
        raise AudioUndecodable("there is no audio: the file is empty", at=at)
    if body[:4] != b"RIFF" or body[8:12] != b"WAVE":
        known = (name for start, mark, name in CONTAINERS if body[start:].startswith(mark))
        raise AudioUndecodable(f"the audio is {next(known, 'in no form known here')}; send WAV with PCM samples", at=at)
    held = _chunks(body)
    if b"fmt " not in held or len(held[b"fmt "]) < 16:
        raise AudioUndecodable("the WAV file does not say how its samples are coded", at=at)
    if b"data" not in held:
        raise AudioUndecodable("the WAV file has no samples", at=at)
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", held[b"fmt "])
    if tag == EXTENSIBLE and len(held[b"fmt "]) >= 26:
        (tag,) = struct.unpack_from("<H", held[b"fmt "], 24)
    kind = {(PCM, 8): "u1", (PCM, 16): "i2", (PCM, 24): "i3", (PCM, 32): "i4", (FLOAT, 32): "f4", (FLOAT, 64): "f8"}
    if (tag, bits) not in kind:
        codec = f"PCM or float samples of {bits} bits" if tag in (PCM, FLOAT) else CODECS.get(tag, f"codec {tag:#06x}")
        raise AudioUndecodable(f"the WAV file holds {codec}; send PCM samples of 16 bits", at=at)
    if not 1 <= channels <= MOST_CHANNELS or not SLOWEST_HZ <= rate_hz <= FASTEST_HZ:
        raise AudioUndecodable(f"the WAV file tells {channels} channels at {rate_hz} Hz", at=at)
    return Wave(rate_hz, channels, kind[tag, bits], held[b"data"])


def _chunks(body: bytes) -> dict[bytes, memoryview]:
    """Return the first chunk of each name; the last one ends where the file does, whatever size it tells."""
    found: dict[bytes, memoryview] = {}
    whole, start = memoryview(body), 12
    while start + 8 <= len(body) and len(found) < 2:
        name, length = struct.unpack_from("<4sI", body, start)
        if name in (b"fmt ", b"data"):
            found.setdefault(name, whole[start + 8 : start + 8 + length])
        start += 8 + length + length % 2
    return found
