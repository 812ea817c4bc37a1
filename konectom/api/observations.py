"""Observations: what clinicians and laboratories found, and the scales that it is told in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request, url_for

from konectom.api.access import permits, scope, services
from konectom.api.body import received_body
from konectom.api.contract import Resource
from konectom.api.errors import BodyIncomplete, BodyStalled
from konectom.api.schemas.observations import (
    Imported,
    ImportQuery,
    NewObservation,
    Observation,
    ObservationPage,
    ObservationsQuery,
    Retraction,
    Scales,
)
from konectom.api.schemas.sessions import UploadHeaders
from konectom.errors import (
    BodyTooLarge,
    CompressionCorrupt,
    ConsentMissing,
    ConsentWithdrawn,
    EncodingUnsupported,
    FieldInvalid,
    FieldMissing,
    FormatUnknown,
    InflatedTooLarge,
    InflationRatioExceeded,
    NotFound,
    NotJson,
    ObservationConflict,
    PatientRestricted,
    ScaleUnknown,
    UnitInvalid,
    UnitMissing,
)
from konectom.formats.observations import CSV_TYPE, FHIR_TYPES
from konectom.workflows.catalogue import list_scales
from konectom.workflows.observations.entering import (
    enter_observation,
    get_observation,
    list_observations,
    retract_observation,
)
from konectom.workflows.observations.importing import import_observations

observations = Resource("observations", __name__, description="What clinicians and laboratories found.")

BODY = {
    "required": True,
    "description": "A table, or a FHIR R4 Observation or a Bundle of them.",
    "content": {
        CSV_TYPE: {
            "schema": {"type": "string"},
            "example": "patient,code,at,component,value,unit\nP-001,t25fw,2026-03-02T10:15:00+01:00,trial_1,5.1,s\n",
        },
        **{media_type: {"schema": {"type": "object"}} for media_type in FHIR_TYPES},
    },
}


@observations.route("/scales")
@permits("reference.read")
@observations.answers(200, Scales)
def get_scales() -> Any:
    """List what can be observed: each scale's components with their units and limits, and the numbers it gives."""
    return {"items": list_scales()}


@observations.route("/patients/<uuid:patient_id>/observations")
@permits("observation.read")
@observations.query(ObservationsQuery)
@observations.answers(200, ObservationPage)
@observations.refuses(PatientRestricted, NotFound, ScaleUnknown, FieldInvalid)
def get_patient_observations(patient_id: UUID, **query: Any) -> Any:
    """List a patient's observations, oldest first."""
    return list_observations(services(), patient_id, **query)


@observations.route("/patients/<uuid:patient_id>/observations", methods=["POST"])
@permits("observation.enter")
@observations.body(NewObservation)
@observations.answers(201, Observation)
@observations.also_answers(200, Observation, description="It was there already.")
@observations.refuses(NotFound, ObservationConflict)
@observations.refuses(ConsentMissing, ConsentWithdrawn, PatientRestricted)
@observations.refuses(ScaleUnknown, FieldMissing, FieldInvalid, UnitMissing, UnitInvalid)
def post_patient_observation(patient_id: UUID, **facts: Any) -> Any:
    """Keep what was found; the same once more is one observation."""
    entered = enter_observation(services(), patient_id, **facts)
    made = entered.observation
    where = url_for(".get_patient_observation", patient_id=patient_id, observation_id=made["id"])
    return made, 201 if entered.created else 200, {"Location": where}


@observations.route("/patients/<uuid:patient_id>/observations/<uuid:observation_id>")
@permits("observation.read")
@observations.answers(200, Observation)
@observations.refuses(PatientRestricted, NotFound)
def get_patient_observation(patient_id: UUID, observation_id: UUID) -> Any:
    """Show an observation, also one that was taken back."""
    return get_observation(services(), patient_id, observation_id)


@observations.route("/patients/<uuid:patient_id>/observations/<uuid:observation_id>/retraction", methods=["PUT"])
@permits("observation.enter")
@observations.body(Retraction)
@observations.answers(200, Observation)
@observations.refuses(PatientRestricted, NotFound, FieldMissing, FieldInvalid)
def put_observation_retraction(patient_id: UUID, observation_id: UUID, reason: str) -> Any:
    """Take an observation back. It no longer counts, and stays to be seen."""
    return retract_observation(services(), patient_id, observation_id, reason=reason)


@observations.route("/studies/<uuid:study_id>/observations", methods=["POST"])
@permits("observation.import")
@observations.query(ImportQuery)
@observations.headers(UploadHeaders)
@observations.answers(200, Imported)
@observations.refuses(NotJson, CompressionCorrupt, BodyIncomplete)
@observations.refuses(NotFound, BodyStalled)
@observations.refuses(BodyTooLarge, InflatedTooLarge, InflationRatioExceeded)
@observations.refuses(EncodingUnsupported, FormatUnknown)
@observations.refuses(FieldMissing, FieldInvalid)
@observations.doc(requestBody=BODY)
def post_study_observations(study_id: UUID, time_zone: str | None = None, encoding: str | None = None) -> Any:
    """Import observations of a study's patients from a table or from FHIR; safe to repeat."""
    imported = import_observations(
        services(),
        study_id,
        received_body(services().settings.max_import_bytes, services().settings.upload_time_limit),
        scope=scope(),
        media_type=request.mimetype or None,
        encoding=encoding,
        time_zone=time_zone,
    )
    return imported.as_dict()
