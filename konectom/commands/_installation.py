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
