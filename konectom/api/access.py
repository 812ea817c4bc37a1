"""Before a view is called: who asks, whether the permission that the view names is his, and how far it reaches.

A view declares its permission (:func:`permits`), or that it is open to all (:func:`public`); one that declares nothing
is closed to all. Who has which permission is written in :mod:`konectom.security.matrix`, and nowhere else. Without a
valid token the answer is 401. Where no role of the caller has the permission it is 403, whatever was addressed. What an
address names (``patient_id``, ``study_id``) must lie within the permission's scope; what lies outside is answered as if
it did not exist. What a view lists or finds itself it narrows by :func:`scope`.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import structlog
from flask import Flask, current_app, g, request
from flask_smorest import Blueprint

from konectom.api.contract import Decorator, View, described
from konectom.api.requests import request_id
from konectom.errors import FieldMissing, NotAuthenticated, NotFound, NotPermitted
from konectom.security.acting import SERVER, Acting, act_as
from konectom.security.matrix import MATRIX, Permission
from konectom.security.principal import Principal, Scope
from konectom.workflows.access.tokens import authenticate
from konectom.workflows.consent.withheld import EVEN_RESTRICTED
from konectom.workflows.patients.people import get_study, require_patient
from konectom.workflows.services import Services
from konectom.workflows.sessions.room import require_room

PUBLIC = "public"


class Uploader(NamedTuple):
    """For which patient a session comes, and from which phone (None: from staff or a program)."""

    patient_id: UUID
    device_id: UUID | None


def init_app(app: Flask, *, but: frozenset[str] = frozenset()) -> None:
    """Let nothing in ``app`` answer that has not said whom it answers; blueprints in ``but`` bring their own guard."""

    def guard() -> None:
        if request.blueprint not in but:
            _guard()

    app.before_request(guard)
    app.teardown_request(lambda _: act_as(SERVER))


def services() -> Services:
    """Return what the workflows work with."""
    opened: Services = current_app.extensions["konectom"]
    return opened


def public(view: View) -> View:
    """Declare that anybody may call the view."""
    return _declare(view, PUBLIC, security=[])


def permits(permission: str) -> Decorator:
    """Declare that only those may call the view who have this permission."""
    declared = MATRIX[permission]
    refusals = {401: "UNAUTHORIZED", 403: "FORBIDDEN"}
    told = f"Permission: `{permission}`. Open to: {', '.join(declared.reach)}."

    def declare(view: View) -> View:
        documented = {"x-permission": permission, "description": told, "responses": refusals}
        return _declare(view, permission, security=[{"bearer": []}], **documented)

    return declare


def _declare(view: View, permission: str, **documented: Any) -> View:
    view.permission = permission  # type: ignore[attr-defined]
    return described(view, Blueprint.doc(**documented))


def declared_permission(endpoint: str) -> str | None:
    """Return the permission that an endpoint asks for, :data:`PUBLIC`, or None where nothing was declared."""
    permission: str | None = getattr(current_app.view_functions[endpoint], "permission", None)
    return permission


def permission_at_hand() -> Permission | None:
    """Return the permission under which this request is answered; None for one that is open to all."""
    permission: Permission | None = g.get("permission")
    return permission


def principal() -> Principal:
    """Return who is calling."""
    caller: Principal = g.principal
    return caller


def scope() -> Scope:
    """Return how far the view's permission reaches for the caller."""
    reached: Scope = g.scope
    return reached


def sees_reasons() -> bool:
    """Tell whether the caller may see what was said about patients: not who runs the installation as a whole."""
    return not scope().everything


def also_permits(permission: str) -> bool:
    """Tell whether the caller has another permission, too, for all that the view's own reaches."""
    reached = principal().reach(permission)
    return reached is not None and reached.covers(scope())


def study_in_scope(study: UUID, at: str) -> UUID:
    """Return the study named at ``at``; raises :class:`NotFound` where it lies outside of the caller's scope."""
    permission = permission_at_hand()
    if not scope().reaches_study(study, whole=permission is not None and permission.whole):
        raise NotFound("there is no such study", at=at)
    return study


def uploader(patient: UUID | None) -> Uploader:
    """Return for whom the caller uploads; raises :class:`NotFound` for anyone outside of its scope.

    Raises :class:`~konectom.errors.StoreFull`, before a byte of the body is taken, where it could not be kept.
    """
    caller = principal()
    if patient is None and caller.patient_id is None:
        raise FieldMissing("staff must say for which patient this is", at="/query/patient")
    patient_id = patient or caller.patient_id
    assert patient_id is not None  # noqa: S101  # one of them is there
    require_patient(services(), patient_id, scope=scope())
    require_room(services())
    return Uploader(patient_id, caller.device_id)


def _guard() -> None:
    """Stop a request before its view unless its caller may make it."""
    if request.endpoint is None:
        return  # no such address or method: that is told whoever asks
    declared = declared_permission(request.endpoint)
    if declared is None:
        raise NotPermitted("nobody may call this")
    if declared == PUBLIC:
        act_as(Acting(kind="anybody", action=request.endpoint, request_id=request_id(), address=_address()))
        return
    caller = g.principal = authenticate(services(), _bearer_token())
    act_as(_acting(caller, declared))
    if caller.kind != "device":  # a phone is one patient's, and the log outlives an erasure
        structlog.contextvars.bind_contextvars(**{caller.kind: str(caller.id)})
    g.permission = MATRIX[declared]
    reached = caller.reach(declared)
    if reached is None:
        raise NotPermitted(f"this needs the permission {declared}")
    g.scope = reached
    _check_address(request.view_args or {})


def _acting(caller: Principal, permission: str) -> Acting:
    # A phone's address would tell where its patient is.
    address = "" if caller.kind == "device" else _address()
    return Acting(
        kind=caller.kind,
        id=caller.id,
        name=caller.name,
        action=permission,
        request_id=request_id(),
        address=address,
    )


def _address() -> str:
    return request.remote_addr or ""


def _bearer_token() -> str:
    sent = request.authorization
    if sent is None or sent.type != "bearer" or not sent.token:
        raise NotAuthenticated("send a token: Authorization: Bearer …")
    return sent.token


def _check_address(named: dict[str, Any]) -> None:
    """Raise :class:`NotFound` unless the patient or study in the address is within the caller's scope.

    Of a patient of whom all is restricted only a few permissions show anything; others raise
    :class:`~konectom.errors.PatientRestricted`.
    """
    if "study_id" in named:
        get_study(services(), study_in_scope(named["study_id"], at=""))
    if "patient_id" in named:
        permission = permission_at_hand()
        even_restricted = permission is not None and permission.name in EVEN_RESTRICTED
        require_patient(services(), named["patient_id"], scope=scope(), even_restricted=even_restricted)
