"""Consent: what a study asks patients to agree to, what each decided, and what of theirs is not to be used."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from konectom.api.access import permits, services
from konectom.api.contract import Resource
from konectom.api.schemas.consents import (
    ConsentForm,
    ConsentFormPage,
    ConsentFormsQuery,
    Consents,
    NewConsentForm,
    NewDecision,
    NewRestriction,
    ResumedQuery,
    Withdrawal,
)
from konectom.errors import AlreadyExists, FieldInvalid, FieldMissing, NotFound
from konectom.workflows.consent.decisions import patient_consents, record_consent, withdraw_consent
from konectom.workflows.consent.forms import create_consent_form, list_consent_forms, retire_consent_form
from konectom.workflows.consent.restrictions import restrict_patient, resume_patient

consents = Resource("consents", __name__, description="What patients agree to, and what is not to be used.")


@consents.route("/studies/<uuid:study_id>/consent-forms")
@permits("consent_form.read")
@consents.query(ConsentFormsQuery)
@consents.answers(200, ConsentFormPage)
@consents.refuses(NotFound, FieldInvalid)
def get_study_consent_forms(study_id: UUID, **query: Any) -> Any:
    """List what a study's patients are asked to agree to, by version."""
    return list_consent_forms(services(), study_id, **query)


@consents.route("/studies/<uuid:study_id>/consent-forms", methods=["POST"])
@permits("consent_form.edit")
@consents.body(NewConsentForm)
@consents.answers(201, ConsentForm)
@consents.refuses(NotFound, AlreadyExists, FieldMissing, FieldInvalid)
def post_study_consent_form(study_id: UUID, **facts: Any) -> Any:
    """Make a version of what a study's patients are asked to agree to."""
    return create_consent_form(services(), study_id, **facts)


@consents.route("/studies/<uuid:study_id>/consent-forms/<uuid:form_id>", methods=["DELETE"])
@permits("consent_form.edit")
@consents.answers(204)
@consents.refuses(NotFound)
def delete_study_consent_form(study_id: UUID, form_id: UUID) -> Any:
    """Let nobody agree to this version any more. Who agreed to it before still does."""
    retire_consent_form(services(), study_id, form_id)


@consents.route("/patients/<uuid:patient_id>/consents")
@permits("consent.read")
@consents.answers(200, Consents)
@consents.refuses(NotFound)
def get_patient_consents(patient_id: UUID) -> Any:
    """Show what a patient decided, type by type of data, and the forms that may be agreed to."""
    return patient_consents(services(), patient_id)


@consents.route("/patients/<uuid:patient_id>/consents", methods=["POST"])
@permits("consent.record")
@consents.body(NewDecision)
@consents.answers(201, Consents)
@consents.also_answers(200, Consents, description="It was there already.")
@consents.refuses(NotFound, FieldMissing, FieldInvalid)
def post_patient_consent(patient_id: UUID, **decision: Any) -> Any:
    """Record a patient's decision on types of data; the same once more changes nothing."""
    recorded = record_consent(services(), patient_id, **decision)
    return recorded.consents, 201 if recorded.created else 200


@consents.route("/patients/<uuid:patient_id>/consents/withdrawal", methods=["PUT"])
@permits("consent.record")
@consents.body(Withdrawal)
@consents.answers(200, Consents)
@consents.refuses(NotFound, FieldMissing, FieldInvalid)
def put_patient_withdrawal(patient_id: UUID, **facts: Any) -> Any:
    """Withdraw a patient's consent to all or some types of data: nothing of theirs is collected any more."""
    return withdraw_consent(services(), patient_id, **facts)


@consents.route("/patients/<uuid:patient_id>/restriction", methods=["PUT"])
@permits("patient.restrict")
@consents.body(NewRestriction)
@consents.answers(200, Consents)
@consents.refuses(NotFound, FieldMissing, FieldInvalid)
def put_patient_restriction(patient_id: UUID, **facts: Any) -> Any:
    """Stop the use of all or some types of what is kept of a patient: nobody is shown it, and nothing is added."""
    return restrict_patient(services(), patient_id, **facts)


@consents.route("/patients/<uuid:patient_id>/restriction", methods=["DELETE"])
@permits("patient.restrict")
@consents.query(ResumedQuery)
@consents.answers(200, Consents)
@consents.refuses(NotFound, FieldInvalid)
def delete_patient_restriction(patient_id: UUID, data_type: str | None = None) -> Any:
    """Use what is kept of a patient again: all of it, or one type."""
    return resume_patient(services(), patient_id, data_types=None if data_type is None else [data_type])
