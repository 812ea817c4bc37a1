"""Who is acting, and on what grounds: what the audit writes beside each read and change of the work at hand.

A request, a command and the server's own rounds each say so once, and all that they call is done in that name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

ActorKind = Literal["device", "user", "service", "operator", "server", "anybody"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Who acts: ``operator`` is whoever runs a command on the machine, ``server`` konectom itself.

    ``action`` is the permission that is used, or the name of the command; ``why`` the reason that was given;
    ``address`` the network address of staff and programs, never that of a patient's phone.
    """

    kind: ActorKind
    id: UUID | None = None
    name: str = ""
    action: str = ""
    request_id: str = ""
    address: str = ""
    why: str | None = None


SERVER = Acting(kind="server", action="server")
_ACTING: ContextVar[Acting] = ContextVar("acting", default=SERVER)


def acting() -> Acting:
    """Return who is acting."""
    return _ACTING.get()


def act_as(who: Acting) -> None:
    """Let ``who`` act from now on in this thread or request."""
    _ACTING.set(who)


@contextmanager
def acting_as(who: Acting) -> Iterator[None]:
    """Let ``who`` act for a while."""
    token = _ACTING.set(who)
    try:
        yield
    finally:
        _ACTING.reset(token)


@contextmanager
def because(why: str) -> Iterator[None]:
    """Give the reason for what is done for a while; an empty one leaves what was given before."""
    with acting_as(replace(acting(), why=why or acting().why)):
        yield
