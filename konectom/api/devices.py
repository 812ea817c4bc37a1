"""Phones: how one becomes a patient's, renews its token, and is shut out."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from konectom.api.access import permits, public, services
from konectom.api.contract import Resource
from konectom.api.limits import count
from konectom.api.schemas.devices import (
    Access,
    DevicePage,
    EnrolmentPage,
    Exchange,
    NewEnrolment,
    Renew,
    RevokeQuery,
)
from konectom.api.schemas.pages import PageQuery
from konectom.errors import (
    EnrolmentRefused,
    EnrolmentUsed,
    FieldInvalid,
    FieldMissing,
    NotFound,
    NotJson,
    RenewalRefused,
    RenewalSuperseded,
)
from konectom.workflows.patients.devices import list_devices, revoke_device
from konectom.workflows.patients.enrolments import create_enrolment, exchange, list_enrolments, revoke_enrolment
from konectom.workflows.patients.renewals import renew

devices = Resource("devices", __name__, description="Patients' phones.")


@devices.route("/patients/<uuid:patient_id>/enrolments", methods=["POST"])
@permits("device.enrol")
@devices.answers(201, NewEnrolment)
@devices.refuses(NotFound)
def post_enrolment(patient_id: UUID) -> Any:
    """Make a code with which one phone becomes the patient's; an earlier one that was not used is void."""
    return create_enrolment(services(), patient_id=patient_id)


@devices.route("/patients/<uuid:patient_id>/enrolments")
@permits("device.read")
@devices.query(PageQuery)
@devices.answers(200, EnrolmentPage)
@devices.refuses(NotFound, FieldInvalid)
def get_enrolments(patient_id: UUID, **query: Any) -> Any:
    """List the codes that were made for a patient, and what became of them."""
    return list_enrolments(services(), patient_id=patient_id, **query)


@devices.route("/patients/<uuid:patient_id>/enrolments/<uuid:enrolment_id>", methods=["DELETE"])
@permits("device.enrol")
@devices.answers(204)
@devices.refuses(NotFound, EnrolmentUsed)
def delete_enrolment(patient_id: UUID, enrolment_id: UUID) -> None:
    """Make a code void."""
    revoke_enrolment(services(), enrolment_id, patient_id=patient_id)


@devices.route("/enrolments/exchange", methods=["POST"])
@public
@devices.body(Exchange)
@devices.answers(200, Access)
@devices.refuses(NotJson, EnrolmentRefused, RenewalSuperseded, FieldMissing, FieldInvalid)
def post_exchange(**told: Any) -> Any:
    """Become a patient's phone; safe to repeat with the same code and secret until it is answered."""
    return exchange(services(), **told, admit=count)


@devices.route("/devices/renewal", methods=["POST"])
@public
@devices.body(Renew)
@devices.answers(200, Access)
@devices.refuses(NotJson, RenewalRefused, RenewalSuperseded, FieldMissing, FieldInvalid)
def post_renewal(**told: Any) -> Any:
    """Get a new access token; safe to repeat with the same two secrets until it is answered."""
    return renew(services(), **told, admit=count)


@devices.route("/patients/<uuid:patient_id>/devices")
@permits("device.read")
@devices.query(PageQuery)
@devices.answers(200, DevicePage)
@devices.refuses(NotFound, FieldInvalid)
def get_devices(patient_id: UUID, **query: Any) -> Any:
    """List a patient's phones, in the order in which they were enrolled."""
    return list_devices(services(), patient_id=patient_id, **query)


@devices.route("/patients/<uuid:patient_id>/devices/<uuid:device_id>", methods=["DELETE"])
@permits("device.revoke")
@devices.query(RevokeQuery)
@devices.answers(204)
@devices.refuses(NotFound, FieldInvalid)
def delete_device(patient_id: UUID, device_id: UUID, reason: str) -> None:
    """Shut a phone out from now on; what it sent before stays."""
    revoke_device(services(), device_id, reason=reason, patient_id=patient_id)
