"""Parquet, decoded by pyarrow once its footer and pages have been looked through.

Row groups are decoded one by one and as far as their columns are asked for. Texts are kept as the dictionary that they
are in the file: one long text that stands in every row takes no more memory than it does there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konectom.errors import BodyDamaged
from konectom.formats._arrow_schema import refused
from konectom.formats._held import Texts
from konectom.formats._parquet_footer import Footer, read_footer
from konectom.formats._parquet_pages import look_through
from konectom.formats._source import Source, Unpacking
from konectom.recording import FloatArray

_MOST_FOOTER_THINGS = 100_000


@contextmanager
def damage_told() -> Iterator[None]:
    """Turn what pyarrow raises on damaged data into :class:`BodyDamaged`."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowMemoryError:
        raise  # not the sender's fault
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # what the machine could not do
        raise BodyDamaged(f"the Parquet file is damaged: {str(error)[:200]}") from None


class Parquet:
    """The columns and row groups of a Parquet file."""

    def __init__(self, source: Source, unpacking: Unpacking, apart: tuple[str, ...] = ()) -> None:
        """``apart`` names columns that are asked for without the others; the rest is decoded in one go."""
        self._source, self._unpacking, self._apart = source, unpacking, apart
        self.footer: Footer = read_footer(source, unpacking)
        self._groups: dict[tuple[int, str], Column] = {}

    @cached_property
    def _file(self) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        source = self._source
        held = pa.BufferReader(pa.py_buffer(source.take(0, source.size))) if source.in_memory else source.file()
        with damage_told():
            return pq.ParquetFile(
                held,
                read_dictionary=list(self.footer.words),
                pre_buffer=False,
                thrift_string_size_limit=source.size,
                thrift_container_size_limit=_MOST_FOOTER_THINGS,
            )

    @cached_property
    def types(self) -> dict[str, tuple[bool, bool]]:
        """Whether each column holds lists, and whether texts; those in which nothing can be are left out.

        Raises :class:`ColumnInvalid` for a type that is not read.
        """
        import pyarrow as pa

        with damage_told():
            schema = self._file.schema_arrow
        names = [field.name for field in schema]
        if len(set(names)) < len(names):
            raise BodyDamaged("a column of the Parquet file is there twice")
        return {field.name: _type(field.name, field.type) for field in schema if not pa.types.is_null(field.type)}

    def column(self, group: int, name: str) -> Column:
        """Return a column of a row group, decoded."""
        if (group, name) not in self._groups:
            self._decode(group, [each for each in self.types if (each in self._apart) is (name in self._apart)])
        return self._groups[group, name]

    def _decode(self, group: int, names: list[str]) -> None:
        held = self.footer.groups[group]
        if not held.rows:
            self._groups |= {(group, name): Column([], *self.types[name]) for name in names}
            return
        look_through(self._source, [each for each in held.chunks if each.path[0] in names], self._unpacking)
        with damage_told():
            table = self._file.read_row_group(group, columns=names, use_threads=False)
            table.validate(full=True)
            if table.num_rows != held.rows or table.column_names != names:
                raise BodyDamaged("a row group of the Parquet file does not hold what the footer says")
            for name in names:
                self._groups[group, name] = Column(_chunks(table[name]), *self.types[name])

    def forget(self) -> None:
        """Let go of what was decoded."""
        self._groups.clear()
        self._unpacking.anew()


def _type(name: str, kind: Any) -> tuple[bool, bool]:
    import pyarrow as pa

    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    inner = kind.value_type if lists else kind
    if pa.types.is_dictionary(inner) and _is_text(inner.value_type):
        return lists, True
    if _is_text(inner):
        return lists, True
    if not (pa.types.is_integer(inner) or pa.types.is_float32(inner) or pa.types.is_float64(inner)):
        raise refused(name, str(kind)[:40])
    return lists, False


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _chunks(column: Any) -> list[Any]:
    return [chunk for chunk in column.chunks if len(chunk)]


@dataclass(frozen=True)
class Column:
    """A column of a row group, in the chunks that pyarrow made of it."""

    chunks: list[Any]
    lists: bool
    worded: bool

    def numbers(self) -> FloatArray:
        """Return numbers that stand one in each row, NaN where one is missing."""
        return _numbers(self.chunks)

    def texts(self) -> Texts:
        """Return texts that stand one in each row."""
        return [text for chunk in self.chunks for text in _texts(chunk)]

    @cached_property
    def _lists(self) -> list[tuple[NDArray[Any], NDArray[np.bool_]]]:
        """Return where the lists of each chunk begin and end, and which are there."""
        return [(each.offsets.to_numpy(), each.is_valid().to_numpy(zero_copy_only=False)) for each in self.chunks]

    @cached_property
    def _values(self) -> list[Any]:
        values = [each.values for each in self.chunks]
        return [list(_texts(each)) for each in values] if self.worded else [_numbers([each]) for each in values]

    def row(self, row: int) -> Row | None:
        """Return the list in a row, None where there is none."""
        for (ends, there), values in zip(self._lists, self._values, strict=True):
            if row < len(there):
                return Row(values[int(ends[row]) : int(ends[row + 1])], self.worded) if there[row] else None
            row -= len(there)
        raise BodyDamaged("a row group of the Parquet file has fewer rows than it tells")


def _numbers(chunks: list[Any]) -> FloatArray:
    # pyarrow gives NaN for what is missing, and whole numbers as floats where one is.
    found = [chunk.to_numpy(zero_copy_only=False).astype(np.float64, copy=False) for chunk in chunks]
    return found[0] if len(found) == 1 else np.concatenate(found or [np.empty(0)])


def _texts(chunk: Any) -> Iterator[str | None]:
    if not hasattr(chunk, "indices"):
        return iter(chunk.to_pylist())
    words = [*chunk.dictionary.to_pylist(), None]
    indices = chunk.indices.fill_null(len(words) - 1).to_numpy()
    return iter([words[index] for index in indices.tolist()])


@dataclass(frozen=True, slots=True)
class Row:
    """A list in a row (:class:`~konectom.formats._held.Piece`)."""

    values: Any
    worded: bool

    def __len__(self) -> int:
        return len(self.values)

    def numbers(self) -> FloatArray:
        """Return the numbers."""
        values: FloatArray = self.values
        return values

    def texts(self) -> Texts:
        """Return the texts."""
        texts: Texts = self.values
        return texts
