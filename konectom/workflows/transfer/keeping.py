"""The objects of a backup: copied once, and from then on looked at, by size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from konectom.storage.objects import FileObjectStore, ObjectStore
from konectom.workflows.transfer.manifest import OBJECTS, Manifest, listed_objects, place_of
from konectom.workflows.transfer.objects import carried, count_objects, each_of, is_right, names_of_objects
from konectom.workflows.transfer.progress import Tell


@dataclass(slots=True)
class Kept:
    """How many objects a backup has, of how many bytes, how many of them are new, and which the source has lost."""

    objects: int = 0
    size_bytes: int = 0
    new: int = 0
    lost: list[str] = field(default_factory=list)


def keep_objects(
    source: ObjectStore, copy: Engine, directory: Path, before: Manifest | None, listing: Path, tell: Tell
) -> Kept:
    """Bring all objects of which the copied rows speak into the backup, and write down name and size of each.

    One that is there already is known by the size that the backup before wrote down; one of which that says nothing,
    as where it was broken off, by its bytes.
    """
    store, total, kept = FileObjectStore(directory / OBJECTS), count_objects(copy), Kept()
    known_before = before is not None and before.listed.fault(directory) is None
    earlier = _Earlier(listed_objects(directory / before.listed.name) if before and known_before else iter(()))

    def keep(item: tuple[str, int | None]) -> tuple[int, bool] | None:
        name, known = item
        place = place_of(directory, name)
        size = place.stat().st_size if place.is_file() else None
        if size is not None and (size == known or (known is None and is_right(store, name))):
            return size, False
        if size is not None:  # it is damaged
            store.delete(name)
        new = carried(source, store, name, directory)
        return None if new is None else (new, True)

    with listing.open("w") as lines:
        listing.chmod(0o600)
        wanted = ((name, earlier.size_of(name)) for name in names_of_objects(copy))
        for done, ((name, _), found) in enumerate(each_of(wanted, keep), 1):
            tell("keeping objects", done, max(total, done))
            if found is None:
                kept.lost.append(name)
                continue
            size, new = found
            kept.objects += 1
            kept.size_bytes += size
            kept.new += new
            lines.write(f"{name} {size}\n")
    return kept


class _Earlier:
    """The list of the backup before, which is asked for names in their order and read no further than need be."""

    def __init__(self, listed: Iterator[tuple[str, int]]) -> None:
        self._listed = listed
        self._at: tuple[str, int] | None = next(listed, None)

    def size_of(self, name: str) -> int | None:
        """Return the size that was written down, None where the object was not among them."""
        while self._at is not None and self._at[0] < name:
            self._at = next(self._listed, None)
        return self._at[1] if self._at is not None and self._at[0] == name else None
