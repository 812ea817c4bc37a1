"""Copying objects from one store to another, and looking whether all are there, a few at a time side by side.

Every object is named in a column ``object`` of some row; one that is not is nobody's, and stays behind. An object has
its digest for a name, so that what is there already need not be copied again, and whatever was broken off just goes on.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from sqlalchemy import Column, Connection, Engine, Select, func, select

from konectom.errors import NotFound, StoreUnavailable, TransferBroken
from konectom.storage.models import Residue
from konectom.storage.objects import ObjectStore
from konectom.workflows.transfer.files import INCOMING
from konectom.workflows.transfer.progress import Tell, silent
from konectom.workflows.transfer.rows import every_table

RESIDUE = Residue.__tablename__
SIDE_BY_SIDE = 8
"""Objects that are under way at a time: a distant store answers late, however fast the line is."""

AT_ONCE = 500
PIECE_BYTES = 1024 * 1024
IN_MEMORY_BYTES = 2 * PIECE_BYTES
"""What is larger goes by way of a file: so many objects are under way at a time, and one may have half a gigabyte."""

TOLD = 5
"""Names that an error tells."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class Copied:
    """How many objects there are, how many of them were copied just now, and the names of those that could not be."""

    objects: int = 0
    new: int = 0
    lost: list[str] = field(default_factory=list)


@cache
def _columns() -> tuple[Column[str], ...]:
    """Return the columns that name objects: those called so, but for those that only refer to one of them, and for
    the list of objects that are to be removed.
    """
    named = (table.c["object"] for table in every_table() if "object" in table.c and table.name != RESIDUE)
    return tuple(column for column in named if not column.foreign_keys)


def names_of_objects(engine: Engine | Connection) -> Iterator[str]:
    """Yield the names of all objects of which rows speak, in order; each question to the database is a short one."""
    after = ""
    while True:
        names: list[str] = []
        for column in _columns():
            some = select(column).where(column > after).order_by(column).limit(AT_ONCE)
            names += asked(engine, some)
        names = sorted(set(names))[:AT_ONCE]
        yield from names
        if len(names) < AT_ONCE:
            return
        after = names[-1]


def count_objects(engine: Engine | Connection) -> int:
    """Return of how many objects rows speak."""
    return sum(asked(engine, select(func.count()).select_from(column.table))[0] for column in _columns())


def known_objects(engine: Engine | Connection, names: Sequence[str]) -> set[str]:
    """Return those of some objects of which rows speak."""
    found: set[str] = set()
    for at in range(0, len(names), AT_ONCE):
        for column in _columns():
            found.update(asked(engine, select(column).where(column.in_(names[at : at + AT_ONCE]))))
    return found


def asked(engine: Engine | Connection, statement: Select[Any]) -> Sequence[Any]:
    """Return what a database answers, through a connection that is at hand or one of its own."""
    if isinstance(engine, Connection):
        return engine.scalars(statement).all()
    with engine.connect() as connection:
        return connection.scalars(statement).all()


def copy_objects(
    names: Iterable[str], source: ObjectStore, target: ObjectStore, by_way_of: Path, *, total: int, tell: Tell = silent
) -> Copied:
    """Copy each object that is not in the target yet. One that the source has lost is told, and the others go on.

    Large ones go by way of files in a directory.
    """
    by_way_of.mkdir(mode=0o700, parents=True, exist_ok=True)

    def copy(name: str) -> bool | None:
        if target.exists(name):
            return False
        return None if carried(source, target, name, by_way_of) is None else True

    copied = Copied()
    for name, new in each_of(names, copy):
        copied.objects += 1
        copied.new += bool(new)
        if new is None:
            copied.lost.append(name)
        tell("copying objects", copied.objects, max(total, copied.objects))
    return copied


def carried(source: ObjectStore, target: ObjectStore, name: str, by_way_of: Path) -> int | None:
    """Carry an object from one store to another, a large one by way of a file in a directory, and return its
    size.

    None where it is lost or damaged. Raises StoreUnavailable where one of the stores is not to be had.
    """
    with ExitStack() as until_kept:
        try:
            with closing(source.open(name)) as file:
                begin, whole = file.read(IN_MEMORY_BYTES), None
                if len(begin) == IN_MEMORY_BYTES:
                    whole = until_kept.enter_context(_spooled(begin, file, by_way_of))
        except NotFound:
            return None
        except StoreUnavailable:
            source.ping()
            return None
        if whole is None:
            target.put(name, begin)
            return len(begin)
        target.put_file(name, whole)
        return whole.stat().st_size


@contextmanager
def _spooled(begin: bytes, rest: BinaryIO, directory: Path) -> Iterator[Path]:
    """Yield a file that holds a large object, for as long as it is carried."""
    with tempfile.NamedTemporaryFile(prefix=f"{INCOMING}object-", dir=directory) as whole:
        whole.write(begin)
        shutil.copyfileobj(rest, whole, PIECE_BYTES)
        whole.flush()
        yield Path(whole.name)


def compare_objects(names: Iterable[str], store: ObjectStore, *, total: int, tell: Tell = silent) -> Iterator[str]:
    """Read every object and yield the name of each that is not there, or not what its name says."""
    for done, (name, right) in enumerate(each_of(names, lambda name: is_right(store, name)), 1):
        tell("comparing objects", done, max(total, done))
        if not right:
            yield name


def is_right(store: ObjectStore, name: str) -> bool:
    """Tell whether an object is there and its bytes are those that its name says."""
    reading = getattr(store, "open", None)
    try:
        if reading is None:
            return hashlib.sha256(store.get(name)).hexdigest() == name
        digest = hashlib.sha256()
        with reading(name) as file:
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
        return digest.hexdigest() == name
    except NotFound:
        return False
    except StoreUnavailable:
        store.ping()
        return False


def require_objects(names: Iterable[str], store: ObjectStore, *, total: int, tell: Tell = silent) -> None:
    """Raise :class:`TransferBroken` unless every object is there, byte for byte."""
    wrong = list(compare_objects(names, store, total=total, tell=tell))
    if wrong:
        raise TransferBroken(f"{len(wrong)} objects are missing or damaged: {in_short(wrong)}")


def in_short(names: list[str]) -> str:
    """Return the first of many names."""
    return ", ".join(names[:TOLD]) + (", ..." if len(names) > TOLD else "")


def each_of(items: Iterable[T], do: Callable[[T], R]) -> Iterator[tuple[T, R]]:
    """Do something for each, a few side by side, and yield what came of it in their order."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        under_way: deque[tuple[T, Future[R]]] = deque()
        try:
            for item in items:
                under_way.append((item, pool.submit(do, item)))
                if len(under_way) >= SIDE_BY_SIDE:
                    done, future = under_way.popleft()
                    yield done, future.result()
            while under_way:
                done, future = under_way.popleft()
                yield done, future.result()
        finally:
            pool.shutdown(cancel_futures=True)
