"""What the audit learns of requests: that patients' data were seen, repeated in vain, or refused.

What a request changes is told by the rows themselves. What it reads is noted here, when the answer is made and before
it leaves: where the audit cannot be written, nobody is shown anything (503). Refusals are counted for each caller
and study, and noted once a minute at most, so that a flood of them fills no disk; they stand in the audit of the study,
and the first in that of the patient, whom the address named.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import orjson
import structlog
from flask import Flask, Response, current_app, g, request

from konectom.api.access import permission_at_hand, principal, scope, services
from konectom.api.contract import selected
from konectom.api.errors import problem, problem_of_bug
from konectom.errors import KonectomError
from konectom.security.acting import Acting, acting, acting_as
from konectom.security.matrix import Permission
from konectom.storage.audit import Tally, count_entries
from konectom.workflows.audit.trail import note_read, there_is

READS = ("GET", "HEAD")
REFUSALS = (403, 404)
SELECTS = (
    "study",
    "measure",
    "assessment",
    "version",
    "as_of",
    "kind",
    "status",
    "since",
    "until",
    "format",
    "limit",
)
"""Parameters that say what was selected, where a view declares them. Others may hold what somebody wrote, and stay out.

Not ``patient``: of whom the answer is stands there anyhow, and of whom it is not has no place in another's audit.
"""

LONGEST = 200
NOTED_EVERY = timedelta(minutes=1)
"""How often refusals of one caller are noted."""

_LOG = structlog.get_logger("konectom.api")
_EXTENSION = "konectom_refusals"


def init_app(app: Flask) -> None:
    """Let ``app`` note what its answers show and refuse."""
    app.extensions[_EXTENSION] = Refusals()
    app.before_request(_begin)
    app.after_request(_end)


@dataclass(slots=True)
class Refused:
    """Refusals of one caller in one study (None: none that there is) since ``began`` that are not noted yet."""

    began: datetime
    who: Acting
    study_id: UUID | None
    count: int = 0


class Refusals:
    """Counts refusals in memory: the first of a caller in a study is noted at once, those of the next minute as one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[tuple[UUID | None, UUID | None], Refused] = {}

    def add(self, who: Acting, study_id: UUID | None, now: datetime) -> int:
        """Count one; return how many are to be noted now: one, or none as yet."""
        with self._lock:
            known = self._of.get((who.id, study_id))
            if known is None:
                self._of[who.id, study_id] = Refused(now, who, study_id)
                return 1
            known.count += 1
            return 0

    def due(self, now: datetime) -> list[Refused]:
        """Take and return those whose minute is over."""
        if not self._of:
            return []
        with self._lock:
            over = [key for key, each in self._of.items() if now - each.began >= NOTED_EVERY]
            return [each for each in map(self._of.pop, over) if each.count]


def _begin() -> None:
    g.tally = count_entries()


def noted() -> None:
    """Say that the view has itself noted what it shows."""
    g.noted = True


def shown_of(patient_id: UUID) -> None:
    """Say of which patient the view shows something, where neither the address nor the answer does."""
    g.shown_of = patient_id


def _end(response: Response) -> Response:
    """Note what the answer shows; where that is not possible, answer with the problem."""
    _note_refusals(response.status_code)
    permission = permission_at_hand()
    if permission is None or permission.data != "patient" or response.status_code >= 400 or "noted" in g:
        return response
    try:
        _note_success(permission, response)
    except KonectomError as error:
        return problem(error)
    except Exception as error:
        return problem_of_bug(error)
    return response


def _note_success(permission: Permission, response: Response) -> None:
    reads = request.method in READS
    tally: Tally = g.tally
    if not reads and tally.entries:
        return  # the rows that it changed have told it
    named = request.view_args or {}
    patient = named.get("patient_id") or g.get("shown_of") or _patient_of(response)
    shown = _shown(permission, response) if reads and patient is None else None
    query = {name: value[:LONGEST] for name, value in selected(SELECTS).items()}
    detail: dict[str, Any] = {"query": query} if query else {}
    if shown == "all" and (sites := _sites(named.get("study_id"))):
        detail["sites"] = sites
    note_read(
        services(),
        change="read" if reads else "event",
        entity=permission.name.partition(".")[0],
        entity_id=str(list(named.values())[-1]) if named else "",
        study_id=named.get("study_id"),
        patient_id=patient,
        patients=shown,
        detail=detail,
    )


def _patient_of(response: Response) -> UUID | None:
    """Return the one patient of whom the answer is."""
    told = _document(response).get("patient")
    return UUID(told) if isinstance(told, str) else None


def _shown(permission: Permission, response: Response) -> list[UUID] | Literal["all"]:
    """Return the patients in a list; what is no list is a table or a figure of all."""
    document = _document(response)
    items = document.get("items")
    if not isinstance(items, list):
        return "all"
    return list(dict.fromkeys(_named(items, "id" if permission.name == "patient.read" else "patient")))


def _sites(study: UUID | None) -> list[str]:
    """Return the sites whose patients alone a caller is shown of a study; none where they are not narrowed by site."""
    reached = scope()
    places = [site for of, site in reached.places if of is None or study in (None, of)]
    if reached.everything or None in places:
        return []
    return sorted(str(site) for site in places)


def _named(items: list[Any], name: str) -> Iterator[UUID]:
    for item in items:
        if isinstance(item.get(name), str):
            yield UUID(item[name])
        for each in item.get("patients") or ():
            yield UUID(each["id"] if isinstance(each, Mapping) else each)


def _document(response: Response) -> Mapping[str, Any]:
    """Return the JSON object that is answered; nothing where it is something else."""
    if response.mimetype != "application/json" or response.is_streamed:
        return {}
    if "answered" not in g:
        g.answered = orjson.loads(response.get_data() or b"{}")
    return g.answered if isinstance(g.answered, dict) else {}


def _note_refusals(status: int) -> None:
    """Note refusals that are due. The answer stands even where that fails: it shows nobody anything."""
    held: Refusals = current_app.extensions[_EXTENSION]
    now = services().clock()
    try:
        for each in held.due(now):
            _note_refused(each.who, each.count, None, each.study_id, None)
        if status in REFUSALS and "principal" in g:
            named = request.view_args or {}
            study, patient = there_is(services(), named.get("study_id"), named.get("patient_id"))
            if held.add(_caller(), study, now):
                _note_refused(_caller(), 1, status, study, patient)
    except KonectomError as error:
        _LOG.warning("audit.refusal_not_noted", code=error.code, detail=error.detail)
    except Exception:
        _LOG.exception("audit.refusal_not_noted")


def _caller() -> Acting:
    who = acting()
    return who if who.id is not None else replace(who, id=principal().id)


def _note_refused(who: Acting, count: int, status: int | None, study: UUID | None, patient: UUID | None) -> None:
    detail: dict[str, Any] = {"permission": who.action, "count": count}
    if status is not None:
        detail |= {"status": status, "address": {name: str(value) for name, value in (request.view_args or {}).items()}}
    with acting_as(replace(who, why=None)):
        note_read(
            services(),
            action="refused",
            change="event",
            entity="request",
            study_id=study,
            patient_id=patient,
            detail=detail,
        )
