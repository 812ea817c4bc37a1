"""Observations: what clinicians and laboratories found, and the scales that it is told in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request, url_for

from konectom.api.access import STAFF, requires, services
from konectom.api.contract import Resource
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
from konectom.errors import (
    DataError,
    FieldInvalid,
    FieldMissing,
    FormatUnknown,
    NotFound,
    ObservationConflict,
    ScaleUnknown,
)
from konectom.workflows.catalogue import list_scales
from konectom.workflows.import_observations import import_observations
from konectom.workflows.observations import (
    enter_observation,
    get_observation,
    list_observations,
    retract_observation,
)

observations = Resource("observations", __name__, description="What clinicians and laboratories found.")

TABLE = {"type": "string", "format": "binary"}


@observations.route("/scales")
@requires(STAFF)
@observations.answers(200, Scales)
def get_scales() -> Any:
    """List what can be observed: each scale's components with their units and limits, and the numbers it gives."""
    return {"items": list_scales()}


@observations.route("/patients/<uuid:patient_id>/observations")
@requires(STAFF)
@observations.query(ObservationsQuery)
@observations.answers(200, ObservationPage)
@observations.refuses(NotFound, ScaleUnknown, FieldInvalid)
def get_patient_observations(patient_id: UUID, **query: Any) -> Any:
    """List a patient's observations, oldest first."""
    return list_observations(services(), patient_id, **query)


@observations.route("/patients/<uuid:patient_id>/observations", methods=["POST"])
@requires(STAFF)
@observations.body(NewObservation)
@observations.answers(201, Observation)
@observations.also_answers(200, Observation, description="It was there already.")
@observations.refuses(NotFound, ScaleUnknown, FieldMissing, FieldInvalid, DataError, ObservationConflict)
def post_patient_observation(patient_id: UUID, **facts: Any) -> Any:
    """Keep what was found; the same once more is one observation."""
    entered = enter_observation(services(), patient_id, **facts)
    made = entered.observation
    where = url_for(".get_patient_observation", patient_id=patient_id, observation_id=made["id"])
    return made, 201 if entered.created else 200, {"Location": where}


@observations.route("/patients/<uuid:patient_id>/observations/<uuid:observation_id>")
@requires(STAFF)
@observations.answers(200, Observation)
@observations.refuses(NotFound)
def get_patient_observation(patient_id: UUID, observation_id: UUID) -> Any:
    """Show an observation, also one that was taken back."""
    return get_observation(services(), patient_id, observation_id)


@observations.route("/patients/<uuid:patient_id>/observations/<uuid:observation_id>/retraction", methods=["PUT"])
@requires(STAFF)
@observations.body(Retraction)
@observations.answers(200, Observation)
@observations.refuses(NotFound, FieldMissing, FieldInvalid)
def put_observation_retraction(patient_id: UUID, observation_id: UUID, reason: str) -> Any:
    """Take an observation back. It no longer counts, and stays to be seen."""
    return retract_observation(services(), patient_id, observation_id, reason=reason)


@observations.route("/studies/<uuid:study_id>/observations", methods=["POST"])
@requires(STAFF)
@observations.query(ImportQuery)
@observations.answers(200, Imported)
@observations.refuses(NotFound, FieldInvalid, FormatUnknown)
def post_study_observations(study_id: UUID, time_zone: str | None = None) -> Any:
    """Import observations of a study's patients: CSV, or a FHIR bundle."""
    body = request.get_data()
    return import_observations(services(), study_id, body, media_type=request.mimetype, time_zone=time_zone)
