"""Is it alive, is it ready: for whatever restarts the server and sends it requests."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from konectom.api.access import public, services
from konectom.api.contract import Resource
from konectom.api.schemas import Described
from konectom.errors import CatalogueChanged, KeysInvalid, KeysMissing, MigrationNeeded, StoreUnavailable

health = Resource("health", __name__, description="For whatever watches the server.")


class Health(Described):
    """All is well."""

    status = fields.String(required=True, metadata={"example": "ok"})


@health.route("/healthz")
@public
@health.answers(200, Health)
def healthz() -> Any:
    """Tell that the process is alive; touches nothing else."""
    return {"status": "ok"}


@health.route("/readyz")
@public
@health.answers(200, Health)
@health.refuses(StoreUnavailable, MigrationNeeded, KeysMissing, KeysInvalid, CatalogueChanged)
def readyz() -> Any:
    """Tell that the database answers and is migrated, that uploads can be written, and all keys are there."""
    services().ping()
    return {"status": "ok"}
