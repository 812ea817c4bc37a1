"""Files in an archive that hold the samples of one stream: Parquet, Arrow, or a WAV file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from konectom.errors import ColumnInvalid, MemberInvalid
from konectom.formats import _parquet_footer as parquet
from konectom.formats._arrow_batch import Values
from konectom.formats._arrow_ipc import FILE_MAGIC, STREAM_MAGIC, Arrow
from konectom.formats._arrow_schema import NOTHING
from konectom.formats._held import Piece, Texts
from konectom.formats._parquet_table import Parquet
from konectom.formats._rows import NOT_COLUMNS
from konectom.formats._source import Source, Unpacking
from konectom.formats._wave import Wave, open_wave
from konectom.recording import FloatArray

Columns = Mapping[str, Sequence[Piece]]
ARCHIVES = (b"PK", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"7z", b"Rar!", b"BZh", b"\xfd7zXZ")
_BEGIN_BYTES = 8


def columns_in(source: Source, unpacking: Unpacking, *, sound: bool) -> tuple[Columns, int | None]:
    """Return the columns of a file, and the samples a second that it tells; a WAV file only where ``sound``."""
    begin = bytes(source.take(0, min(_BEGIN_BYTES, source.size)))
    if begin.startswith(parquet.MAGIC):
        return _checked(_parquet_columns(source, unpacking)), None
    if begin.startswith((FILE_MAGIC, STREAM_MAGIC)):
        return _checked(_arrow_columns(source, unpacking)), None
    if begin.startswith(ARCHIVES):
        raise MemberInvalid("an archive within an archive is not read, nor a file that is compressed itself")
    if not sound:
        raise MemberInvalid("the member is neither a Parquet nor an Arrow file")
    unpacking.take(0 if source.in_memory else source.size)
    wave = open_wave(source.whole(), "")
    return {"amplitude": [Sound(wave, unpacking)]}, wave.rate_hz


def _checked(columns: Columns) -> Columns:
    wrong = [name for name in NOT_COLUMNS if name in columns]
    if wrong:
        raise ColumnInvalid(f"{wrong[0]} is told in the document, not in a column")
    return columns


def _parquet_columns(source: Source, unpacking: Unpacking) -> Columns:
    table = Parquet(source, unpacking)
    for name, (lists, _) in table.types.items():
        _require_values(name, lists)
    groups = range(len(table.footer.groups))
    return {name: [Rows(table, group, name) for group in groups] for name in table.types}


def _arrow_columns(source: Source, unpacking: Unpacking) -> Columns:
    table = Arrow(source, unpacking)
    for name, column in table.columns.items():
        _require_values(name, column.lists is not None)
    found: dict[str, list[Piece]] = {name: [] for name, each in table.columns.items() if each.values != NOTHING}
    for batch in table.batches:
        for name, pieces in found.items():
            values = batch.column(name)
            if isinstance(values, Values):
                pieces.append(values.piece(0, batch.rows))
    return found


def _require_values(name: str, lists: bool) -> None:
    if lists:
        raise ColumnInvalid(f"{name[:40]!r} holds lists; a file of one stream has a value in each row")


@dataclass(frozen=True, slots=True)
class Rows:
    """A column in a row group, decoded when it is asked for (:class:`~konectom.formats._held.Piece`)."""

    table: Parquet
    group: int
    name: str

    @property
    def worded(self) -> bool:
        """Tell whether they are texts."""
        return self.table.types[self.name][1]

    def __len__(self) -> int:
        return self.table.footer.groups[self.group].rows

    def numbers(self) -> FloatArray:
        """Return the numbers."""
        return self.table.column(self.group, self.name).numbers()

    def texts(self) -> Texts:
        """Return the texts."""
        return self.table.column(self.group, self.name).texts()


@dataclass(frozen=True, slots=True)
class Sound:
    """The samples of a WAV file (:class:`~konectom.formats._held.Piece`)."""

    wave: Wave
    unpacking: Unpacking
    worded: bool = False

    def __len__(self) -> int:
        return self.wave.count

    def numbers(self) -> FloatArray:
        """Return the amplitudes."""
        self.unpacking.take(8 * self.wave.count)
        return self.wave.amplitudes()

    def texts(self) -> Texts:
        """Return nothing: they are numbers."""
        return []
