"""Is it alive, is it ready: for whatever restarts the server and sends it requests."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from konectom.api.access import public, services
from konectom.api.contract import Resource
from konectom.api.schemas import Described
from konectom.errors import CatalogueChanged, KeysInvalid, KeysMissing, KonectomError, MigrationNeeded, StoreUnavailable
from konectom.workflows.readiness import Check

health = Resource("health", __name__, description="For whatever watches the server.")


class Health(Described):
    """All is well."""

    status = fields.String(required=True, metadata={"example": "ok"})


class CheckTold(Described):
    """One thing that the server needs."""

    name = fields.String(required=True, metadata={"example": "database"})
    status = fields.String(required=True, metadata={"description": "`ok` or `failed`.", "example": "ok"})
    code = fields.String(metadata={"description": "The code of the error that it has."})
    detail = fields.String(metadata={"description": "What is wrong, for people."})


class Ready(Described):
    """The server can do its work: `ok`, or `limited` where it takes no uploads for want of room."""

    status = fields.String(required=True, metadata={"example": "ok"})
    checks = fields.List(fields.Nested(CheckTold), required=True)


@health.route("/healthz")
@public
@health.answers(200, Health)
def healthz() -> Any:
    """Tell that the process is alive; touches nothing else."""
    return {"status": "ok"}


@health.route("/readyz")
@public
@health.answers(200, Ready)
@health.refuses(StoreUnavailable, MigrationNeeded, KeysMissing, KeysInvalid, CatalogueChanged)
def readyz() -> Any:
    """Tell that all that the server needs is there, thing by thing; looks once a second at most."""
    checks = services().readiness.look(services())
    told = [_told(each) for each in checks]
    for each in checks:
        if each.fatal and each.error is not None:
            raise type(each.error)(each.error.detail, checks=told) from each.error.__cause__
    return {"status": "limited" if any(each.error for each in checks) else "ok", "checks": told}


def _told(check: Check) -> dict[str, str]:
    error = check.error
    if error is None:
        return {"name": check.name, "status": "ok"}
    return {"name": check.name, "status": "failed", "code": error.code, "detail": _detail(error)}


def _detail(error: KonectomError) -> str:
    """Return what is wrong, without what is for the operator alone."""
    return (type(error).__doc__ or error.title).splitlines()[0] if error.private else error.detail
