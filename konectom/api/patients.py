"""Patients: pseudonymous people, their sessions and their scores over time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from konectom.api.access import also_permits, permits, scope, services, study_in_scope
from konectom.api.contract import Resource
from konectom.api.schemas.people import NewPatient, Patient, PatientChange, PatientPage, PatientsQuery
from konectom.api.schemas.sessions import SessionPage, SessionsQuery
from konectom.api.schemas.trends import Summary, SummaryQuery, Trends, TrendsQuery
from konectom.errors import AlreadyExists, FieldInvalid, FieldMissing, NotFound, PatientRestricted
from konectom.workflows.following.summary import patient_summary
from konectom.workflows.following.trends import patient_trends
from konectom.workflows.patients.people import create_patient, edit_patient, get_patient, list_patients
from konectom.workflows.sessions.listing import list_sessions

patients = Resource("patients", __name__, description="Pseudonymous people.")


@patients.route("/patients")
@permits("patient.read")
@patients.query(PatientsQuery)
@patients.answers(200, PatientPage)
@patients.refuses(NotFound, FieldInvalid)
def get_patients(study: UUID | None = None, **query: Any) -> Any:
    """List patients by code."""
    study_id = None if study is None else study_in_scope(study, at="/query/study")
    return list_patients(services(), scope=scope(), study_id=study_id, **query)


@patients.route("/patients", methods=["POST"])
@permits("patient.create")
@patients.body(NewPatient)
@patients.answers(201, Patient)
@patients.refuses(NotFound, AlreadyExists, FieldMissing, FieldInvalid)
def post_patient(study: UUID, **facts: Any) -> Any:
    """Make a patient in a study."""
    study_in_scope(study, at="/study")
    made = create_patient(services(), study_id=study, scope=scope(), **facts)
    return made, {"Location": url_for(".get_patient_by_id", patient_id=made["id"])}


@patients.route("/patients/<uuid:patient_id>")
@permits("patient.read")
@patients.answers(200, Patient)
@patients.refuses(NotFound)
def get_patient_by_id(patient_id: UUID) -> Any:
    """Show a patient."""
    return get_patient(services(), patient_id)


@patients.route("/patients/<uuid:patient_id>", methods=["PATCH"])
@permits("patient.edit")
@patients.body(PatientChange)
@patients.answers(200, Patient)
@patients.refuses(NotFound, FieldInvalid)
def patch_patient(patient_id: UUID, **changes: Any) -> Any:
    """Change what norms use of a patient, or the site."""
    return edit_patient(services(), patient_id, scope=scope(), **changes)


@patients.route("/patients/<uuid:patient_id>/sessions")
@permits("session.read")
@patients.query(SessionsQuery)
@patients.answers(200, SessionPage)
@patients.refuses(PatientRestricted, NotFound, FieldInvalid)
def get_patient_sessions(patient_id: UUID, **query: Any) -> Any:
    """List a patient's sessions, in the order in which they came."""
    return list_sessions(services(), patient_id=patient_id, **query)


@patients.route("/patients/<uuid:patient_id>/trends")
@permits("trend.read")
@patients.query(TrendsQuery)
@patients.answers(200, Trends)
@patients.refuses(PatientRestricted, NotFound, FieldInvalid)
def get_patient_trends(patient_id: UUID, **query: Any) -> Any:
    """Follow a patient's scores over time: points, windows, baseline, noise, change, slope, confirmed changes."""
    # What clinicians and laboratories found is not for whoever holds the phone, nor for every program.
    return patient_trends(services(), patient_id, observed=also_permits("observation.read"), **query)


@patients.route("/patients/<uuid:patient_id>/summary")
@permits("summary.read")
@patients.query(SummaryQuery)
@patients.answers(200, Summary)
@patients.refuses(PatientRestricted, NotFound, FieldInvalid)
def get_patient_summary(patient_id: UUID, **query: Any) -> Any:
    """Show a patient in one line per score: now, baseline, change, and the verdict in words."""
    return patient_summary(services(), patient_id, observed=also_permits("observation.read"), **query)
