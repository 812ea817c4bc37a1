"""What a campaign tries again that is no recording yet, such as an upload that was set aside.

A source is chosen by its name, as the statuses of recordings are. It is asked after the recordings; what it brought in
is computed as any upload is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from konectom.workflows.campaign_choice import Choice
    from konectom.workflows.services import Services


class Source(Protocol):
    """Things that can be tried again."""

    def try_again(self, services: Services, choice: Choice) -> Iterator[str]:
        """Try each that is chosen once and yield a word for what came of it, which is counted.

        It must stand being left off after any of them, and begun again.
        """
        ...


SOURCES: dict[str, Source] = {}
"""By the name with which they are chosen; none yet."""


def chosen_sources(choice: Choice) -> list[Source]:
    """Return the sources that are chosen."""
    return [source for name, source in SOURCES.items() if name in choice.statuses]
