"""The audit, for whoever has to answer for what is done with patients' data."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from konectom.api.access import permits, scope, sees_reasons, services, study_in_scope
from konectom.api.contract import Resource
from konectom.api.noting import noted
from konectom.api.schemas.audit import AuditExportQuery, AuditPage, AuditQuery
from konectom.api.tables import BYTES, download, form_wanted
from konectom.errors import FieldInvalid, NotFound
from konectom.workflows.audit.trail import Form, Which, export_audit, list_audit, note_audit_read

EXPORT_FORMS: tuple[Form, ...] = ("ndjson", "csv")

audit = Resource("audit", __name__, description="Who did and saw what.")


@audit.route("/audit")
@permits("audit.read")
@audit.query(AuditQuery)
@audit.answers(200, AuditPage)
@audit.refuses(NotFound, FieldInvalid)
def get_audit(cursor: str | None = None, limit: int | None = None, **asked: Any) -> Any:
    """List entries, newest last; each page that is seen is itself an entry."""
    which = _which(**asked)
    found = list_audit(services(), scope(), which, reasons=sees_reasons(), cursor=cursor, limit=limit)
    _note(which, entries=len(found["items"]))
    return found


@audit.route("/audit/export")
@permits("audit.read")
@audit.query(AuditExportQuery)
@audit.answers(200, BYTES, content_type="application/x-ndjson", description="One JSON object a line.")
@audit.also_answers(200, BYTES, content_type="text/csv")
@audit.refuses(NotFound, FieldInvalid)
def get_audit_export(format: str | None = None, **asked: Any) -> Response:
    """Take entries away, newest last; that is itself an entry."""
    form, which = form_wanted(format, EXPORT_FORMS), _which(**asked)
    _note(which, format=form)
    return download(export_audit(services(), scope(), which, form, reasons=sees_reasons()), form, "audit")


def _note(which: Which, **detail: Any) -> None:
    note_audit_read(services(), scope(), which, **detail)
    noted()


def _which(study: UUID | None = None, **asked: Any) -> Which:
    return Which(study=None if study is None else study_in_scope(study, at="/query/study"), **asked)
