"""Quarantine: uploads that were refused, and whose bytes are held."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from konectom.api.access import permits, principal, scope, services
from konectom.api.contract import Resource
from konectom.api.raw import BYTES, HEADERS, MEDIA_TYPE, raw_download
from konectom.api.schemas.quarantine import Discarding, HeldUpload, QuarantinePage, QuarantineQuery
from konectom.errors import FieldInvalid, FieldMissing, NotFound, PatientRestricted, QuarantineEnded
from konectom.workflows.sessions.discarding import discard
from konectom.workflows.sessions.quarantine import get_held, held_bytes, list_held

quarantine = Resource("quarantine", __name__, description="Uploads that were refused, and are held.")


@quarantine.route("/quarantine")
@permits("quarantine.read")
@quarantine.query(QuarantineQuery)
@quarantine.answers(200, QuarantinePage)
@quarantine.refuses(PatientRestricted, FieldInvalid)
def get_quarantine(study: UUID | None = None, patient: UUID | None = None, **query: Any) -> Any:
    """List what was refused and is held, in the order in which it came; a phone sees its own patient's."""
    return list_held(services(), scope=scope(), study_id=study, patient_id=patient, brief=_is_phone(), **query)


@quarantine.route("/quarantine/<uuid:quarantine_id>")
@permits("quarantine.read")
@quarantine.answers(200, HeldUpload)
@quarantine.refuses(PatientRestricted, NotFound)
def get_quarantined(quarantine_id: UUID) -> Any:
    """Tell why an upload was refused, and what became of it."""
    return get_held(services(), quarantine_id, scope=scope(), brief=_is_phone())


@quarantine.route("/quarantine/<uuid:quarantine_id>/content")
@permits("raw.read")
@quarantine.answers(200, BYTES, content_type=MEDIA_TYPE, headers=HEADERS, description="The bytes as they came.")
@quarantine.refuses(PatientRestricted, NotFound)
def get_quarantined_content(quarantine_id: UUID) -> Response:
    """Fetch the bytes of an upload that is held, as they came."""
    return raw_download(held_bytes(services(), quarantine_id, scope=scope()), f"quarantine-{quarantine_id}")


@quarantine.route("/quarantine/<uuid:quarantine_id>:discard", methods=["POST"])
@permits("quarantine.discard")
@quarantine.body(Discarding)
@quarantine.answers(200, HeldUpload)
@quarantine.refuses(NotFound, QuarantineEnded, FieldMissing, FieldInvalid)
def post_quarantined_discard(quarantine_id: UUID, reason: str) -> Any:
    """Let the bytes of an upload go, for good."""
    return discard(services(), quarantine_id, reason=reason, scope=scope())


def _is_phone() -> bool:
    return principal().kind == "device"
