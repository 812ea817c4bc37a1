"""What patients have a right to: a copy of all that is kept of them, and that it is erased."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from konectom.api.access import permits, sees_reasons, services
from konectom.api.contract import Resource
from konectom.api.schemas.rights import Erasure, ErasurePage, ErasuresQuery, NewErasure
from konectom.api.tables import BYTES, MEDIA_TYPES, download
from konectom.errors import FieldInvalid, FieldMissing, NotFound
from konectom.workflows.erasing.archive import patient_archive
from konectom.workflows.erasing.certificates import get_certificate, list_certificates
from konectom.workflows.erasing.erasure import erase_patient, finish_soon

rights = Resource("rights", __name__, description="Portable copies, erasure and its certificates.")


@rights.route("/patients/<uuid:patient_id>/archive")
@permits("patient.archive")
@rights.answers(200, BYTES, content_type=MEDIA_TYPES["zip"], description="Files, with a manifest of their digests.")
@rights.refuses(NotFound)
def get_patient_archive(patient_id: UUID) -> Response:
    """Take a portable copy of all that is kept of a patient."""
    return download(patient_archive(services(), patient_id), "zip", f"patient-{patient_id}")


@rights.route("/patients/<uuid:patient_id>/erasure", methods=["POST"])
@permits("patient.erase")
@rights.body(NewErasure)
@rights.answers(200, Erasure)
@rights.refuses(NotFound, FieldMissing, FieldInvalid)
def post_patient_erasure(patient_id: UUID, code: str, reason: str) -> Any:
    """Erase a patient, for good: key, identity, phones, uploads and all that came of them."""
    erased = erase_patient(services(), patient_id, reason=reason, code=code, finish=False)
    finish_soon(services())
    return erased


@rights.route("/studies/<uuid:study_id>/erasures")
@permits("erasure.read")
@rights.query(ErasuresQuery)
@rights.answers(200, ErasurePage)
@rights.refuses(NotFound, FieldInvalid)
def get_study_erasures(study_id: UUID, **query: Any) -> Any:
    """List the certificates of a study's erasures, in the order of the erasures."""
    return list_certificates(services(), study_id, reasons=sees_reasons(), **query)


@rights.route("/studies/<uuid:study_id>/erasures/<uuid:erasure_id>")
@permits("erasure.read")
@rights.answers(200, Erasure)
@rights.refuses(NotFound)
def get_study_erasure(study_id: UUID, erasure_id: UUID) -> Any:
    """Show a certificate of erasure."""
    return get_certificate(services(), erasure_id, study_id=study_id, reasons=sees_reasons())
