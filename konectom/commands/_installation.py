"""This installation, as the environment describes it, and the people in it, as a command line names them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from konectom.errors import FieldInvalid, NotFound

if TYPE_CHECKING:
    from konectom.security.acting import Acting
    from konectom.workflows.services import Services


OF_NO_PATIENT = (
    *("audit", "db", "demo", "doctor", "keys", "migrate-store", "restore", "retention", "serve", "site", "study"),
    *("token", "user"),
)
"""Commands that show nothing of patients, or tell the audit themselves. Of all others it is told before they show
anything."""

FILLING = ("migrate-store", "restore")
"""Commands that go on with a database that is not complete."""

OF_NO_PATIENT_THEMSELVES = ("worker",)
"""Commands of which that is true, but not of those below them."""


@dataclass(slots=True)
class _Run:
    """A command that is running on the installation; ``to_note`` says whether the audit is still to be told."""

    name: str
    to_note: bool


_RUN: ContextVar[_Run | None] = ContextVar("run", default=None)


@contextmanager
def installation(*, changes: bool = False) -> Iterator[Services]:
    """Yield the services that the settings describe; what is done with them is done in the name of the operator.

    The audit is told of what the command reads: when its study or patient is found (:func:`study_named`,
    :func:`patient_named`), or at once where it names none. Of a command that ``changes`` something the rows tell
    themselves; where it changed nothing after all, it is told at the end.
    """
    import logging

    from konectom import logs
    from konectom.security.acting import acting_as
    from konectom.settings import load_settings
    from konectom.storage.audit import count_entries
    from konectom.workflows.services import Services

    settings = load_settings()
    # What succeeds, the command itself tells.
    logs.configure(settings.log_format, level=logging.WARNING, texts=settings.mode == "development")
    services, run, given = Services.open(settings), *_run()
    token = _RUN.set(run if not changes else None)
    try:
        if run.name not in FILLING:
            _require_finished(services)
        with acting_as(_operator(run.name)):
            tally = count_entries()
            if run.to_note and not changes and not given & {"study", "patient"}:
                _note(services, patients="all")
            yield services
            if run.to_note and changes and not tally.entries:
                _note(services, change="event")
    finally:
        _RUN.reset(token)
        services.close()


def _require_finished(services: Services) -> None:
    """Raise :class:`~konectom.errors.MigrationNeeded` where the database is being filled: patients may be among its
    rows who were erased. One that cannot be reached, or is not there yet, is for the command to tell.
    """
    from pathlib import Path

    from konectom.errors import StoreUnavailable
    from konectom.storage.migrate import refuse_unfinished

    scheme, _, file = services.settings.database_url.partition(":///")
    if scheme == "sqlite" and not Path(file).exists():  # asking would make one
        return
    with suppress(StoreUnavailable), services.db.read() as db:
        refuse_unfinished(db.connection())


def _run() -> tuple[_Run, set[str]]:
    """Return the command that is running, and the names of what it was given."""
    context = click.get_current_context(silent=True)
    if context is None:
        return _Run("", to_note=False), set()
    name = context.command_path.partition(" ")[2]
    given = {name for name, value in context.params.items() if value not in (None, ())}
    return _Run(name, to_note=_may_show_patients(name)), given


def _may_show_patients(name: str) -> bool:
    return name.partition(" ")[0] not in OF_NO_PATIENT and name not in OF_NO_PATIENT_THEMSELVES


def _operator(command: str) -> Acting:
    """Return whoever runs a command on the machine, as the system knows him or her."""
    import os
    import pwd
    from uuid import uuid4

    from konectom.security.acting import Acting

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need not have a name
        name = str(os.getuid())
    return Acting(kind="operator", name=name, action=command, request_id=uuid4().hex)


def _note(services: Services, **about: Any) -> None:
    from konectom.security.acting import acting
    from konectom.workflows.audit.trail import note_read

    note_read(services, entity="command", entity_id=acting().action, **about)


def _note_found(services: Services, **about: Any) -> None:
    """Tell the audit whose data the running command reads, once."""
    run = _RUN.get()
    if run is not None and run.to_note:
        run.to_note = False
        _note(services, **about)


def every_row(list_page: Callable[..., dict[str, Any]], services: Services, **asked: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of a list, page after page."""
    cursor = None
    while True:
        page = list_page(services, cursor=cursor, limit=services.settings.page_size_max, **asked)
        yield from page["items"]
        cursor = page["next"]
        if cursor is None:
            return


def study_named(services: Services, name: str) -> dict[str, Any]:
    """Return the study of this code or id; raises :class:`NotFound`."""
    found = _study(services, name)
    _note_found(services, study_id=UUID(found["id"]), patients="all")
    return found


def _study(services: Services, name: str) -> dict[str, Any]:
    from konectom.workflows.patients.people import get_study, list_studies

    identifier = _uuid(name)
    if identifier is not None:
        return get_study(services, identifier)
    for study in every_row(list_studies, services):
        if study["code"] == name:
            return study
    raise NotFound(f"there is no study {name!r}")


def patient_named(services: Services, name: str, study: str | None = None) -> dict[str, Any]:
    """Return the patient of this code or id; a code that several studies use needs ``study``."""
    found = _patient(services, name, study)
    _note_found(services, patient_id=UUID(found["id"]))
    return found


def _patient(services: Services, name: str, study: str | None) -> dict[str, Any]:
    from konectom.workflows.patients.people import get_patient, list_patients

    study_id = None if study is None else UUID(_study(services, study)["id"])
    identifier = _uuid(name)
    if identifier is not None:
        return get_patient(services, identifier, study_id=study_id)
    found = list(every_row(list_patients, services, study_id=study_id, code=name))
    if not found:
        raise NotFound(f"there is no patient {name!r}" + (f" in study {study}" if study else ""))
    if len(found) > 1:
        raise FieldInvalid(f"{len(found)} studies have a patient {name!r}; say which with --study")
    return found[0]


def user_named(services: Services, name: str) -> dict[str, Any]:
    """Return the user of this login or id; raises :class:`NotFound`."""
    from konectom.workflows.access.users import get_user, list_users

    identifier = _uuid(name)
    if identifier is not None:
        return get_user(services, identifier)
    found: list[dict[str, Any]] = list_users(services, login=name)["items"]
    if not found:
        raise NotFound(f"there is no user {name!r}")
    return found[0]


def site_named(services: Services, name: str, study_id: UUID | None) -> dict[str, Any]:
    """Return the site of this code or id in a study; raises :class:`NotFound`."""
    from konectom.workflows.patients.sites import list_sites

    if study_id is None:
        raise FieldInvalid("say with --study of which study the site is")
    for site in every_row(list_sites, services, study_id=study_id):
        if name in (site["code"], site["id"]):
            return site
    raise NotFound(f"there is no site {name!r} in this study")


def team_named(services: Services, name: str, study_id: UUID) -> dict[str, Any]:
    """Return the care team of this name or id in a study; raises :class:`NotFound`."""
    from konectom.workflows.access.teams import list_teams

    for team in every_row(list_teams, services, study_id=study_id):
        if name in (team["name"], team["id"]):
            return team
    raise NotFound(f"there is no care team {name!r} in this study")


def identifier_of(text: str, noun: str) -> UUID:
    """Return the id that ``text`` writes; raises :class:`FieldInvalid`."""
    identifier = _uuid(text)
    if identifier is None:
        raise FieldInvalid(f"{text!r} is not the id of a {noun}")
    return identifier


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
