"""Following a study's patients: policy, schedules, alerts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from konectom.api.access import permits, principal, scope, services
from konectom.api.contract import Resource
from konectom.api.schemas.following import (
    Acknowledgement,
    Adherence,
    Alert,
    AlertPage,
    AlertsQuery,
    NewPolicy,
    NewSchedule,
    Policy,
    Schedule,
    SchedulePage,
    SchedulesQuery,
)
from konectom.errors import AlreadyExists, AssessmentUnknown, FieldInvalid, FieldMissing, NotFound, PatientRestricted
from konectom.workflows.following.alerts import acknowledge, list_alerts
from konectom.workflows.following.policies import get_policy, set_policy
from konectom.workflows.patients.schedules import create_schedule, delete_schedule, list_schedules, patient_adherence

following = Resource("following", __name__, description="How patients are followed over years.")


@following.route("/studies/<uuid:study_id>/policy")
@permits("policy.read")
@following.answers(200, Policy)
@following.refuses(NotFound)
def get_study_policy(study_id: UUID) -> Any:
    """Show how a study's scores are followed: windows, run-in, noise, definition of confirmed change."""
    return get_policy(services(), study_id)


@following.route("/studies/<uuid:study_id>/policy", methods=["PUT"])
@permits("policy.edit")
@following.body(NewPolicy)
@following.answers(200, Policy)
@following.refuses(NotFound, FieldInvalid)
def put_study_policy(study_id: UUID, **document: Any) -> Any:
    """Set how a study's scores are followed; what is not named has its default again."""
    return set_policy(services(), study_id, document)


@following.route("/studies/<uuid:study_id>/schedules")
@permits("schedule.read")
@following.query(SchedulesQuery)
@following.answers(200, SchedulePage)
@following.refuses(PatientRestricted, NotFound, FieldInvalid)
def get_study_schedules(study_id: UUID, **query: Any) -> Any:
    """List what is due in a study, or for one of its patients."""
    return list_schedules(services(), study_id, scope=scope(), **query)


@following.route("/studies/<uuid:study_id>/schedules", methods=["POST"])
@permits("schedule.edit")
@following.body(NewSchedule)
@following.answers(201, Schedule)
@following.refuses(NotFound, AlreadyExists, AssessmentUnknown, FieldMissing, FieldInvalid)
def post_study_schedule(study_id: UUID, **facts: Any) -> Any:
    """Make a schedule for a study's patients, or for one of them."""
    return create_schedule(services(), study_id, **facts)


@following.route("/studies/<uuid:study_id>/schedules/<uuid:schedule_id>", methods=["DELETE"])
@permits("schedule.edit")
@following.answers(204)
@following.refuses(NotFound)
def delete_study_schedule(study_id: UUID, schedule_id: UUID) -> Any:
    """Remove a schedule."""
    delete_schedule(services(), study_id, schedule_id)


@following.route("/patients/<uuid:patient_id>/schedules")
@permits("adherence.read")
@following.answers(200, Adherence)
@following.refuses(PatientRestricted, NotFound)
def get_patient_schedules(patient_id: UUID) -> Any:
    """Show what is due for a patient, and what was done, late and missed."""
    return patient_adherence(services(), patient_id)


@following.route("/studies/<uuid:study_id>/alerts")
@permits("alert.read")
@following.query(AlertsQuery)
@following.answers(200, AlertPage)
@following.refuses(PatientRestricted, NotFound, FieldInvalid)
def get_study_alerts(study_id: UUID, **query: Any) -> Any:
    """List what to look at: confirmed changes, alarming answers, lapses, spoiled tests."""
    return list_alerts(services(), study_id, scope=scope(), **query)


@following.route("/studies/<uuid:study_id>/alerts/<uuid:alert_id>/acknowledgement", methods=["PUT"])
@permits("alert.acknowledge")
@following.body(Acknowledgement)
@following.answers(200, Alert)
@following.refuses(PatientRestricted, NotFound, FieldInvalid)
def put_alert_acknowledgement(study_id: UUID, alert_id: UUID, note: str = "") -> Any:
    """Say that an alert was seen; a second time changes nothing."""
    caller = principal()
    by = caller.name or str(caller.id)
    return acknowledge(services(), study_id, alert_id, by=by, note=note, scope=scope())
