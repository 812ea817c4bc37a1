"""Decompression: whole bodies only, and never more memory than allowed."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from konectom.errors import KonectomError
from konectom.formats import Limits
from konectom.formats._inflate import encoding_of, inflate

MEBIBYTE = 1024 * 1024


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def zstd_unsized(data: bytes) -> bytes:
    packer = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd, "zstd unsized": zstd_unsized}


@pytest.mark.parametrize("packer", PACKERS)
@given(first=st.binary(max_size=3000), second=st.binary(max_size=3000))
def test_what_was_packed_comes_back_also_in_two_frames(packer: str, first: bytes, second: bytes) -> None:
    packed = PACKERS[packer](first) + PACKERS[packer](second)
    assert inflate(packed, packer.split()[0], Limits()) == first + second


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("keep", [1, 5, 20, 500, -9, -4, -1])
def test_a_body_cut_anywhere_is_refused(packer: str, keep: int) -> None:
    packed = PACKERS[packer](os.urandom(3000) * 3)
    with pytest.raises(KonectomError) as refused:
        inflate(packed[:keep], packer.split()[0], Limits())
    assert refused.value.code == "compression_corrupt"


@pytest.mark.parametrize("packer", PACKERS)
def test_zeros_packed_to_nothing_are_refused(packer: str) -> None:
    with pytest.raises(KonectomError) as refused:
        inflate(PACKERS[packer](bytes(10 * MEBIBYTE)), packer.split()[0], Limits())
    assert refused.value.code == "inflation_ratio_exceeded"
    assert refused.value.status == 413


@pytest.mark.parametrize("packer", PACKERS)
def test_a_bomb_is_refused_before_its_memory_is_spent(packer: str) -> None:
    bomb = PACKERS[packer](bytes(300 * MEBIBYTE))
    limits = Limits(max_inflated_bytes=2 * MEBIBYTE, max_inflation_ratio=10**9)
    tracemalloc.start()
    try:
        with pytest.raises(KonectomError) as refused:
            inflate(bomb, packer.split()[0], limits)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.code == "inflated_too_large"
    assert peak_bytes < 64 * MEBIBYTE


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [
        (b"plain", "br", "encoding_unsupported"),
        (b"plain", "gzip", "compression_corrupt"),
        (b"plain", "zstd", "compression_corrupt"),
        (gzip.compress(b"{}", mtime=0) + b"tail", "gzip", "compression_corrupt"),
        (bytes(200), "identity", "body_too_large"),
    ],
)
def test_what_cannot_be_unpacked_says_why(body: bytes, encoding: str, code: str) -> None:
    with pytest.raises(KonectomError) as refused:
        inflate(body, encoding, Limits(max_body_bytes=100))
    assert refused.value.code == code


def test_the_first_bytes_tell_the_encoding() -> None:
    assert [encoding_of(body) for body in (gzip.compress(b""), zstd(b""), b"{}", b"")] == [
        "gzip",
        "zstd",
        "identity",
        "identity",
    ]
