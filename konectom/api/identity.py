"""Who a patient is: apart from the data, for those who call or meet the patient."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from konectom.api.access import permits, services
from konectom.api.contract import Resource
from konectom.api.schemas import identity as schemas
from konectom.errors import FieldInvalid, NotFound, SealBroken
from konectom.workflows.patients.identity import get_identity, remove_identity, set_identity

identity = Resource("identity", __name__, description="Who patients are: sealed, and apart from their data.")


@identity.route("/patients/<uuid:patient_id>/identity")
@permits("identity.read")
@identity.answers(200, schemas.Identity)
@identity.refuses(NotFound, SealBroken)
def get_patient_identity(patient_id: UUID) -> Any:
    """Tell who a patient is."""
    return get_identity(services(), patient_id)


@identity.route("/patients/<uuid:patient_id>/identity", methods=["PUT"])
@permits("identity.edit")
@identity.body(schemas.NewIdentity)
@identity.answers(200, schemas.Identity)
@identity.refuses(NotFound, FieldInvalid)
def put_patient_identity(patient_id: UUID, **fields: Any) -> Any:
    """Say who a patient is, in place of what was said before."""
    return set_identity(services(), patient_id, **fields)


@identity.route("/patients/<uuid:patient_id>/identity", methods=["DELETE"])
@permits("identity.edit")
@identity.answers(204)
@identity.refuses(NotFound)
def delete_patient_identity(patient_id: UUID) -> Any:
    """Remove what was said of who a patient is."""
    remove_identity(services(), patient_id)
