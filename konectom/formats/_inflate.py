"""Decompression that stops at a limit: a few kilobytes must not become gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import zstandard

from konectom.errors import (
    BodyTooLarge,
    CompressionCorrupt,
    EncodingUnsupported,
    InflatedTooLarge,
    InflationRatioExceeded,
)
from konectom.formats._limits import MEBIBYTE, Limits
from konectom.formats._source import RATIO_FREE_BYTES

_CHUNK_BYTES = MEBIBYTE
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_WINDOW_BYTES = 64 * MEBIBYTE
_ZSTD_STEP_BYTES = 512
"""A block of 4 bytes can stand for 128 KiB, so that one step of input yields at most 16 MiB."""

_GZIP_WINDOW = zlib.MAX_WBITS | 16


def encoding_of(body: bytes) -> str:
    """Return the encoding that the body's first bytes tell: ``gzip``, ``zstd`` or ``identity``."""
    if body.startswith(_GZIP_MAGIC):
        return "gzip"
    return "zstd" if body.startswith(_ZSTD_MAGIC) else "identity"


def inflate(body: bytes, encoding: str, limits: Limits) -> bytes:
    """Return the decompressed body.

    Raises :class:`BodyTooLarge`, :class:`InflatedTooLarge`, :class:`InflationRatioExceeded`,
    :class:`CompressionCorrupt` or :class:`EncodingUnsupported`. Memory stays within ``max_inflated_bytes`` and one
    chunk, whatever size a frame declares.
    """
    if len(body) > limits.max_body_bytes:
        raise BodyTooLarge(f"the body has {len(body)} bytes; at most {limits.max_body_bytes} are accepted")
    name = encoding.strip().lower() or "identity"
    if name == "identity":
        if len(body) > limits.max_inflated_bytes:
            raise InflatedTooLarge(f"the body has {len(body)} bytes; at most {limits.max_inflated_bytes} are accepted")
        return body
    if name in ("gzip", "x-gzip"):
        return _collect(_gunzip(body), len(body), limits)
    if name == "zstd":
        _refuse_declared(body, limits)
        return _collect(_unzstd(body), len(body), limits)
    raise EncodingUnsupported(f"Content-Encoding {encoding!r} is not supported; use gzip, zstd or none")


def _refuse_declared(body: bytes, limits: Limits) -> None:
    """Refuse a frame that says itself that it is too large, before anything of it is unpacked."""
    try:
        declared = zstandard.get_frame_parameters(body).content_size
    except zstandard.ZstdError as error:
        raise CompressionCorrupt(f"the zstd data are damaged: {error}") from None
    if declared != zstandard.CONTENTSIZE_UNKNOWN and declared > limits.max_inflated_bytes:
        raise InflatedTooLarge(f"the body inflates to more than {limits.max_inflated_bytes} bytes")


def _collect(chunks: Iterator[bytes], packed_bytes: int, limits: Limits) -> bytes:
    kept, length = list[bytes](), 0
    most = max(RATIO_FREE_BYTES, packed_bytes * limits.max_inflation_ratio)
    for chunk in chunks:
        kept.append(chunk)
        length += len(chunk)
        if length > limits.max_inflated_bytes:
            raise InflatedTooLarge(f"the body inflates to more than {limits.max_inflated_bytes} bytes")
        if length > most:
            raise InflationRatioExceeded(
                f"the body inflates more than {limits.max_inflation_ratio} times; no recording does"
            )
    return b"".join(kept)


def _gunzip(body: bytes) -> Iterator[bytes]:
    """Yield the content of each gzip member in turn (RFC 1952 allows several)."""
    rest = body
    while rest:
        member = zlib.decompressobj(_GZIP_WINDOW)
        waiting = rest
        while not member.eof:
            try:
                chunk = member.decompress(waiting, _CHUNK_BYTES)
            except zlib.error as error:
                raise CompressionCorrupt(f"the gzip data are damaged: {error}") from None
            waiting = member.unconsumed_tail
            if not chunk and not waiting and not member.eof:
                raise CompressionCorrupt("the gzip data end before their end mark")
            yield chunk
        rest = member.unused_data


def _unzstd(body: bytes) -> Iterator[bytes]:
    """Yield the content of each zstd frame (RFC 8878), ignoring the size that a frame declares."""
    rest = memoryview(body)
    while rest:
        frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()
        while not frame.eof:
            step = rest[:_ZSTD_STEP_BYTES]
            if not step:
                raise CompressionCorrupt("the zstd data end before their end mark")
            try:
                yield frame.decompress(step)
            except zstandard.ZstdError as error:
                raise CompressionCorrupt(f"the zstd data are damaged: {error}") from None
            rest = rest[len(step) - len(frame.unused_data) :]
