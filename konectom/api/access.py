"""The one place where it is decided who may do what.

A view declares who may call it (:func:`requires`, or :func:`public`); one that declares nothing is closed to all.
What an address names (``patient_id``, ``study_id``) must lie within the caller's scope: a phone's token opens its own
patient, a staff token its study or all of them. What lies outside is answered as if it did not exist. What a view
lists or finds itself it narrows by :func:`scope`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypedDict
from uuid import UUID

import structlog
from flask import Flask, current_app, g, request
from flask_smorest import Blueprint

from konectom.api.contract import Decorator, View
from konectom.errors import FieldMissing, NotAuthenticated, NotFound, NotPermitted
from konectom.workflows.people import get_patient
from konectom.workflows.services import Services
from konectom.workflows.tokens import Principal, authenticate

DEVICE = "device"
STAFF = "staff"
UNBOUND_STAFF = "staff of all studies"
"""Staff whose token is not bound to one study."""


class Uploader(NamedTuple):
    """For which patient a session comes, and from which phone (None: from staff)."""

    patient_id: UUID
    device_id: UUID | None


class Scope(TypedDict):
    """What narrows a question to the caller's own; None where its token does not bind it."""

    patient_id: UUID | None
    study_id: UUID | None


def init_app(app: Flask) -> None:
    """Let nothing in ``app`` answer that has not said whom it answers."""
    app.before_request(_guard)


def services() -> Services:
    """Return what the workflows work with."""
    opened: Services = current_app.extensions["konectom"]
    return opened


def public(view: View) -> View:
    """Declare that anybody may call the view."""
    return _declare(view, frozenset(), security=[])


def requires(*who: str) -> Decorator:
    """Declare that only these (:data:`DEVICE`, :data:`STAFF`, :data:`UNBOUND_STAFF`) may call the view."""
    told = f"Open to: {', '.join(who)}."

    def declare(view: View) -> View:
        refusals = {401: "UNAUTHORIZED", 403: "FORBIDDEN"}
        return _declare(view, frozenset(who), security=[{"bearer": []}], description=told, responses=refusals)

    return declare


def _declare(view: View, who: frozenset[str], **documented: Any) -> View:
    declared: View = Blueprint.doc(**documented)(view)
    declared.access = who  # type: ignore[attr-defined]
    return declared


def declared_access(endpoint: str) -> frozenset[str] | None:
    """Return who may call an endpoint: nobody in particular (empty), some, or None where nothing was declared."""
    access: frozenset[str] | None = getattr(current_app.view_functions[endpoint], "access", None)
    return access


def principal() -> Principal:
    """Return who is calling."""
    caller: Principal = g.principal
    return caller


def scope() -> Scope:
    """Return the caller's patient and study, for the workflows that list or find."""
    return Scope(patient_id=principal().patient_id, study_id=principal().study_id)


def study_in_scope(study: UUID | None, at: str) -> UUID | None:
    """Return the study to ask about: the one named at ``at``, or the caller's own; raises :class:`NotFound`."""
    own = principal().study_id
    if own is not None and study not in (None, own):
        raise NotFound("there is no such study", at=at)
    return own if study is None else study


def uploader(patient: UUID | None) -> Uploader:
    """Return for whom the caller uploads; raises :class:`NotFound` for anyone outside of its scope."""
    caller = principal()
    if caller.patient_id is not None:
        _require_own(patient or caller.patient_id)
        return Uploader(caller.patient_id, caller.device_id)
    if patient is None:
        raise FieldMissing("staff must say for which patient this is", at="/query/patient")
    get_patient(services(), patient, study_id=caller.study_id)
    return Uploader(patient, None)


def _guard() -> None:
    """Stop a request before its view unless its caller may make it."""
    if request.endpoint is None:
        return  # no such address or method: that is told whoever asks
    access = declared_access(request.endpoint)
    if access is None:
        raise NotPermitted("nobody may call this")
    if not access:
        return
    g.principal = authenticate(services(), _bearer_token())
    structlog.contextvars.bind_contextvars(credential=str(g.principal.credential_id))
    if not _kinds(g.principal) & access:
        raise NotPermitted(f"this is open to: {', '.join(sorted(access))}")
    _check_address(request.view_args or {})


def _bearer_token() -> str:
    sent = request.authorization
    if sent is None or sent.type != "bearer" or not sent.token:
        raise NotAuthenticated("send a token: Authorization: Bearer …")
    return sent.token


def _kinds(caller: Principal) -> frozenset[str]:
    unbound = caller.kind == STAFF and caller.study_id is None
    return frozenset({caller.kind, UNBOUND_STAFF} if unbound else {caller.kind})


def _check_address(named: dict[str, Any]) -> None:
    """Raise :class:`NotFound` unless the patient or study in the address is the caller's."""
    if "study_id" in named:
        study_in_scope(named["study_id"], at="")
    if "patient_id" in named:
        if principal().patient_id is not None:
            _require_own(named["patient_id"])
        else:
            get_patient(services(), named["patient_id"], study_id=principal().study_id)


def _require_own(patient: UUID) -> None:
    if patient != principal().patient_id:
        raise NotFound("there is no such patient")
