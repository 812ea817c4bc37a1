"""This installation, as the environment describes it, and the people in it, as a command line names them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from konectom.errors import FieldInvalid, NotFound

if TYPE_CHECKING:
    from konectom.workflows.services import Services


@contextmanager
def installation() -> Iterator[Services]:
    """Yield the services that the settings describe."""
    import logging

    from konectom import logs
    from konectom.settings import load_settings
    from konectom.workflows.services import Services

    settings = load_settings()
    logs.configure(settings.log_format, level=logging.WARNING)  # what succeeds, the command itself tells
    services = Services.open(settings)
    try:
        yield services
    finally:
        services.close()


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
    from konectom.workflows.people import get_study, list_studies

    identifier = _uuid(name)
    if identifier is not None:
        return get_study(services, identifier)
    for study in every_row(list_studies, services):
        if study["code"] == name:
            return study
    raise NotFound(f"there is no study {name!r}")


def patient_named(services: Services, name: str, study: str | None = None) -> dict[str, Any]:
    """Return the patient of this code or id; a code that several studies use needs ``study``."""
    from konectom.workflows.people import get_patient, list_patients

    study_id = None if study is None else UUID(study_named(services, study)["id"])
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
    from konectom.workflows.users import get_user, list_users

    identifier = _uuid(name)
    if identifier is not None:
        return get_user(services, identifier)
    found: list[dict[str, Any]] = list_users(services, login=name)["items"]
    if not found:
        raise NotFound(f"there is no user {name!r}")
    return found[0]


def site_named(services: Services, name: str, study_id: UUID | None) -> dict[str, Any]:
    """Return the site of this code or id in a study; raises :class:`NotFound`."""
    from konectom.workflows.sites import list_sites

    if study_id is None:
        raise FieldInvalid("say with --study of which study the site is")
    for site in every_row(list_sites, services, study_id=study_id):
        if name in (site["code"], site["id"]):
            return site
    raise NotFound(f"there is no site {name!r} in this study")


def team_named(services: Services, name: str, study_id: UUID) -> dict[str, Any]:
    """Return the care team of this name or id in a study; raises :class:`NotFound`."""
    from konectom.workflows.teams import list_teams

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
