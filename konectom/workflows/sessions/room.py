"""Room: what could not be kept is refused before it is accepted, and some is left for all else.

Where a disk runs full in the middle of an upload all the same, the write itself says so
(:class:`~konectom.errors.StoreFull`), nothing of it is left, and the same upload succeeds once there is room.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from konectom.errors import StoreFull, StoreUnavailable
from konectom.storage.objects.files import free_bytes

if TYPE_CHECKING:
    from konectom.workflows.services import Services


def rooms(services: Services) -> dict[str, int]:
    """Return the bytes that are free: for the database, or what else is on this machine, and for objects.

    Without what cannot be known: a database or a store that is elsewhere watches its own room.
    """
    file = _file_of(services.settings.database_url)
    try:
        found = {"data": free_bytes(file or services.settings.data_dir)}
    except OSError as error:
        raise StoreUnavailable(f"the room that is left cannot be told: {error.strerror}") from error
    objects = services.objects.room()
    return found if objects is None else found | {"objects": objects}


@lru_cache(1)
def _file_of(url: str) -> Path | None:
    """Return the file that a database is; None for one that is elsewhere."""
    told = make_url(url)
    return Path(told.database or "") if told.get_backend_name() == "sqlite" else None


def require_room(services: Services) -> None:
    """Raise :class:`~konectom.errors.StoreFull` where less room is left than the settings ask for."""
    least = services.settings.min_free_bytes
    if least and min(rooms(services).values()) < least:
        raise StoreFull("too little room is left to accept uploads; what is sent later is taken")
