"""An archive: a session's document beside the files that hold its samples.

``session.json`` is a ``konectom.session/1`` whose streams may name a ``member`` in place of columns: a Parquet or Arrow
file with a column for each of the stream's, a row for each sample; or, for ``audio``, a WAV file. Every other member
has to be named by one stream, so that nothing comes along that the document does not speak of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from konectom.errors import (
    AudioUndecodable,
    BodyDamaged,
    CompressionCorrupt,
    DataError,
    FieldInvalid,
    FieldMissing,
    MemberInvalid,
    NotJson,
    pointer_token,
)
from konectom.formats._held import Held
from konectom.formats._limits import Limits
from konectom.formats._members import columns_in
from konectom.formats._registry import Format
from konectom.formats._session1_streams import is_number
from konectom.formats._source import Source, Unpacking
from konectom.formats._zip import MAGIC, Member, directory, open_member
from konectom.formats.session1 import Carrier, Sitting
from konectom.recording import Session

DOCUMENT = "session.json"
MEMBER = "member"
AUDIO = "audio"


class Members(Carrier):
    """The members of an archive, each under the stream that names it."""

    def __init__(self, source: Source, members: dict[str, Member], unpacking: Unpacking) -> None:
        self._source, self._members, self._unpacking = source, members, unpacking

    def attach(self, recordings: list[Any]) -> None:
        """Refuse a member that two streams name, and one that none does."""
        named: set[str] = set()
        for index, recording in enumerate(recordings):
            for _, _, stream, at in _streams(recording, f"/recordings/{index}"):
                name = stream.get(MEMBER)
                if isinstance(name, str) and name in named:
                    raise FieldInvalid(f"another stream has the member {name[:80]!r} already", at=f"{at}/{MEMBER}")
                if isinstance(name, str):
                    named.add(name)
        beside = sorted(self._members.keys() - named)
        if beside:
            raise FieldInvalid(f"no stream of {DOCUMENT} has the member {beside[0]!r}")

    def filled(self, index: int, recording: Any, at: str) -> Any:
        """Return a recording with the columns of its members."""
        found: dict[tuple[int | None, str], dict[str, Any]] = {}
        for part, name, stream, where in _streams(recording, at):
            if MEMBER in stream:
                found[part, name] = self._stream(name, stream, where)
        return _replaced(recording, found) if found else recording

    def _stream(self, name: str, stream: dict[str, Any], at: str) -> dict[str, Any]:
        where = f"{at}/{MEMBER}"
        member = stream[MEMBER]
        if not isinstance(member, str) or member not in self._members:
            raise MemberInvalid("there is no such member in the archive", at=where)
        try:
            source = open_member(self._source, self._members[member], self._unpacking)
            columns, rate_hz = columns_in(source, self._unpacking, sound=name == AUDIO)
        except (BodyDamaged, CompressionCorrupt, DataError) as error:
            kind = AudioUndecodable if isinstance(error, AudioUndecodable) else MemberInvalid
            raise kind(error.detail, at=where) from None
        told = {key: value for key, value in stream.items() if key != MEMBER}
        twice = [column for column in columns if column in told]
        if twice:
            raise FieldInvalid(f"{twice[0]} is told in the document and in the member", at=f"{at}/{twice[0]}")
        if rate_hz is not None and told.get("t") is None:
            given = told.get("rate_hz", rate_hz)
            if not is_number(given) or given != rate_hz:
                raise FieldInvalid(f"the member has {rate_hz} samples a second", at=f"{at}/rate_hz")
            told["rate_hz"] = rate_hz
        return {**told, **{column: Held(pieces) for column, pieces in columns.items()}}

    def forget(self) -> None:
        """Let go of what was unpacked."""
        self._unpacking.anew()


def _streams(recording: Any, at: str) -> Iterator[tuple[int | None, str, dict[str, Any], str]]:
    """Yield the part, name, object and pointer of each stream in a recording that may be damaged."""
    parts = recording.get("parts") if isinstance(recording, dict) else None
    held: list[tuple[int | None, Any]] = [(None, recording), *enumerate(parts if isinstance(parts, list) else ())]
    for part, holder in held:
        streams = holder.get("streams") if isinstance(holder, dict) else None
        where = at if part is None else f"{at}/parts/{part}"
        for name, stream in streams.items() if isinstance(streams, dict) else ():
            if isinstance(stream, dict):
                yield part, name, stream, f"{where}/streams/{pointer_token(name)}"


def _replaced(recording: Any, streams: dict[tuple[int | None, str], dict[str, Any]]) -> Any:
    """Return a recording with other streams. The document itself is left as it is."""
    filled = dict(recording)
    if any(part is not None for part, _ in streams):
        filled["parts"] = list(filled["parts"])
    for (part, name), stream in streams.items():
        holder = filled
        if part is not None:
            holder = filled["parts"][part] = dict(filled["parts"][part])
        holder["streams"] = {**holder["streams"], name: stream}
    return filled


def open_archive(source: Source, limits: Limits) -> Sitting:
    """Return the session in an archive."""
    members = directory(source, limits)
    if DOCUMENT not in members:
        raise FieldMissing(f"the archive has no member {DOCUMENT}")
    unpacking = Unpacking(limits, source.size)
    try:
        plain = open_member(source, members.pop(DOCUMENT), unpacking).whole()
        document = orjson.loads(plain)
    except MemberInvalid as error:
        raise BodyDamaged(error.detail) from None
    except orjson.JSONDecodeError as error:
        raise NotJson(f"{DOCUMENT} is not a JSON document: {error}") from None
    return Sitting(document, limits, Members(source, members, unpacking))


def _recognises(body: Any) -> bool:
    return isinstance(body, bytes) and body.startswith(MAGIC)


def read(body: bytes, limits: Limits) -> Session:
    """Return the session in an archive."""
    return open_archive(Source(body), limits).read()


FORMAT = Format(
    name="archive",
    title="ZIP archive of a konectom session, version 1, and the files of its streams",
    media_types=("application/vnd.konectom.session.v1+zip", "application/zip"),
    recognises=_recognises,
    read=read,
    magic=(MAGIC,),
    open=open_archive,
)
