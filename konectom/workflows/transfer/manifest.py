"""What a backup is: the manifest, which is written last, so that a backup that has one is whole.

::

    manifest.json        what belongs to the backup, with sizes and digests, and which keys it needs
    database-….sqlite3   all rows, in a database of the schema that the manifest tells
    objects-….txt        the objects: name (its sha256) and size of each, in the order of names
    objects/sha256/…     the objects, as in any object store of konectom
    erased.json          who was erased, up to the last time that a backup was made here (:mod:`.erased`)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from konectom.errors import BackupInvalid
from konectom.security.chain import Anchor, Keys
from konectom.workflows.transfer.contents import Content
from konectom.workflows.transfer.documents import Document, read_document, require_seal, write_document
from konectom.workflows.transfer.files import File

NAME = "manifest.json"
SCHEMA = "konectom.backup/1"
PURPOSE = b"konectom backup manifest"
OBJECTS = "objects"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What belongs to a backup, and of what it is.

    ``opens`` are the ids of the keys under which something in it is sealed, ``verifies`` of those that its audit needs.
    ``lost`` are names of objects that the installation itself had lost, or removed while they were copied.
    """

    version: str
    revision: str
    taken_at: datetime
    database: File
    listed: File
    objects: int
    size_bytes: int
    lost: tuple[str, ...]
    tables: dict[str, Content]
    anchor: Anchor
    opens: tuple[str, ...]
    verifies: tuple[str, ...]
    digest: str = ""

    def write(self, directory: Path, keys: Keys) -> str:
        """Put the manifest in place: from now on this is what the directory holds. Returns its digest."""
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "software": self.version,
            "revision": self.revision,
            "taken_at": self.taken_at.isoformat(),
            "database": _told(self.database),
            "objects": {
                "list": _told(self.listed),
                "count": self.objects,
                "size_bytes": self.size_bytes,
                "lost": list(self.lost),
            },
            "tables": {name: {"rows": each.rows, "digest": each.digest} for name, each in self.tables.items()},
            "audit": str(self.anchor),
            "keys": {"opens": list(self.opens), "verifies": list(self.verifies)},
        }
        return write_document(directory / NAME, content, keys, PURPOSE)


def read_manifest(directory: Path, keys: Keys | None = None) -> Manifest:
    """Return the manifest of a backup; with ``keys``, only one that was sealed under them.

    Raises :class:`BackupInvalid` where there is none, which a backup that was broken off has not, or it was changed.
    """
    path = directory / NAME
    if not path.exists():
        raise BackupInvalid(f"there is no backup in {directory}, or it was broken off before it was whole")
    told = read_document(path, SCHEMA)
    if keys is not None:
        require_seal(path, told, keys, PURPOSE)
    objects, needed = told["objects"], told["keys"]
    return Manifest(
        version=told["software"],
        revision=told["revision"],
        taken_at=datetime.fromisoformat(told["taken_at"]),
        database=_file(told["database"]),
        listed=_file(objects["list"]),
        objects=objects["count"],
        size_bytes=objects["size_bytes"],
        lost=tuple(objects["lost"]),
        tables={name: Content(each["rows"], each["digest"]) for name, each in told["tables"].items()},
        anchor=Anchor.of(told["audit"]),
        opens=tuple(needed["opens"]),
        verifies=tuple(needed["verifies"]),
        digest=told["digest"],
    )


def listed_objects(path: Path) -> Iterator[tuple[str, int]]:
    """Yield name and size of each object of a backup, in the order of names."""
    with path.open() as lines:
        for line in lines:
            name, _, size = line.partition(" ")
            yield name, int(size)


def place_of(directory: Path, name: str) -> Path:
    """Return where an object lies in a backup."""
    return directory / OBJECTS / "sha256" / name[:2] / name[2:4] / name


def _told(file: File) -> Document:
    return {"name": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256}


def _file(told: Document) -> File:
    name = str(told["name"])
    if Path(name).name != name:
        raise BackupInvalid("the manifest names a file that lies elsewhere")
    return File(name, int(told["size_bytes"]), str(told["sha256"]))
