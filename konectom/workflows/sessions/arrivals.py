"""In which order uploads became visible: whoever asks what is new since a place in that order misses nothing."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from konectom.storage.models import Arrival

_COUNTED = update(Arrival).values(last=Arrival.last + 1).returning(Arrival.last)
"""Made once: an upload waits for it."""


def next_arrival(db: Session) -> int:
    """Return the number of what arrives in this transaction; it has to be the last thing that is done in it.

    From here to the commit nobody else gets a number: so numbers are given in the order of the commits, and who sees
    one sees all that are smaller. What is rolled back leaves no gap.
    """
    db.flush()
    number: int = db.connection().execute(_COUNTED).scalar_one()
    return number
