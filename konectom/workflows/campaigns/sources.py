"""What a campaign tries again that is no recording yet: uploads in quarantine.

A source is chosen by its name, as recordings are by their status, and asked after them; what it brings in is computed
as any upload is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from konectom.workflows.services import Services
from konectom.workflows.sessions.quarantine import retry_held

if TYPE_CHECKING:
    from konectom.workflows.campaigns.choice import Choice


class Source(Protocol):
    """Things that can be tried again."""

    def try_again(self, services: Services, choice: Choice) -> Iterator[str]:
        """Try each that is chosen once and yield a word for what came of it, which is counted.

        It must stand being left off after any of them, and begun again.
        """
        ...


class Quarantine:
    """Uploads that could not be used when they came."""

    def try_again(self, services: Services, choice: Choice) -> Iterator[str]:
        """Read each with the readers of now; yield ``released`` or ``held``."""
        for each in retry_held(services, study_id=choice.study_id, patient_id=choice.patient_id):
            yield "held" if each.session is None else "released"


SOURCES: Mapping[str, Source] = {"held": Quarantine()}
"""By the name with which they are chosen."""


def chosen_sources(choice: Choice) -> list[Source]:
    """Return the sources that are chosen."""
    return [source for name, source in SOURCES.items() if name in choice.statuses]
