"""Room: what could not be kept is refused before it is accepted, and some is left for all else.

Where a disk runs full in the middle of an upload all the same, the write itself says so
(:class:`~konectom.errors.StoreFull`), nothing of it is left, and the same upload succeeds once there is room.
"""

from __future__ import annotations

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
    url = make_url(services.settings.database_url)
    beside = Path(url.database or "") if url.get_backend_name() == "sqlite" else services.settings.data_dir
    try:
        found = {"data": free_bytes(beside)}
    except OSError as error:
        raise StoreUnavailable(f"the room that is left cannot be told: {error.strerror}") from error
    objects = services.objects.room()
    return found if objects is None else found | {"objects": objects}


def require_room(services: Services) -> None:
    """Raise :class:`~konectom.errors.StoreFull` where less room is left than the settings ask for."""
    least = services.settings.min_free_bytes
    if least and min(rooms(services).values()) < least:
        raise StoreFull("too little room is left to accept uploads; what is sent later is taken")
