"""Studies: the scope of people and data, and the tables that a researcher takes away."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, url_for

from konectom.api.access import also_permits, permits, scope, services
from konectom.api.contract import Resource
from konectom.api.json import encode
from konectom.api.schemas.exports import DictionaryQuery, FeaturesQuery
from konectom.api.schemas.pages import PageQuery
from konectom.api.schemas.people import NewStudy, Study, StudyChange, StudyPage
from konectom.api.schemas.reliability import Reliability, ReliabilityQuery
from konectom.api.tables import BYTES, MEDIA_TYPES, ROWS, download, form_wanted
from konectom.errors import AlreadyExists, AssessmentUnknown, FieldInvalid, FieldMissing, NotFound, NotPermitted
from konectom.exports.reliability import reliability_csv
from konectom.exports.tables import Form
from konectom.workflows.consent.study_terms import edit_study
from konectom.workflows.following.reliability import reliability_of_study
from konectom.workflows.following.reliability_design import split
from konectom.workflows.patients.people import create_study, get_study, list_studies
from konectom.workflows.tables.export import dictionary_csv, feature_dictionary, feature_table

TABLE_FORMS: tuple[Form, ...] = ("csv", "parquet")
DICTIONARY_FORMS = ("csv", "json")
RELIABILITY_FORMS = ("json", "csv")

studies = Resource("studies", __name__, description="Scopes of people and data.")


@studies.route("/studies")
@permits("study.read")
@studies.query(PageQuery)
@studies.answers(200, StudyPage)
@studies.refuses(FieldInvalid)
def get_studies(**query: Any) -> Any:
    """List the studies that the caller may see, by code."""
    return list_studies(services(), scope=scope(), **query)


@studies.route("/studies", methods=["POST"])
@permits("study.create")
@studies.body(NewStudy)
@studies.answers(201, Study)
@studies.refuses(AlreadyExists, FieldMissing, FieldInvalid)
def post_study(**facts: Any) -> Any:
    """Make a study."""
    made = create_study(services(), **facts)
    return made, {"Location": url_for(".get_study_by_id", study_id=made["id"])}


@studies.route("/studies/<uuid:study_id>")
@permits("study.read")
@studies.answers(200, Study)
@studies.refuses(NotFound)
def get_study_by_id(study_id: UUID) -> Any:
    """Show a study."""
    return get_study(services(), study_id)


@studies.route("/studies/<uuid:study_id>", methods=["PATCH"])
@permits("study.edit")
@studies.body(StudyChange)
@studies.answers(200, Study)
@studies.refuses(NotFound, FieldMissing, FieldInvalid)
def patch_study(study_id: UUID, **changes: Any) -> Any:
    """Change where a study keeps consent, and until when it keeps its patients' data."""
    return edit_study(services(), study_id, **changes)


@studies.route("/studies/<uuid:study_id>/features")
@permits("features.read")
@studies.query(FeaturesQuery)
@studies.answers(200, BYTES, content_type="text/csv", description="One line a row, UTF-8.")
@studies.also_answers(200, BYTES, content_type=MEDIA_TYPES["parquet"])
@studies.refuses(NotFound, AssessmentUnknown, FieldInvalid)
def get_study_features(study_id: UUID, format: str | None = None, **which: Any) -> Response:
    """Take away the computed features of a study, as CSV or Parquet."""
    form = form_wanted(format, TABLE_FORMS)
    table = feature_table(services(), study_id, form=form, scope=scope(), **which)
    return download(table, form, f"features-{which.get('assessment', 'all')}")


@studies.route("/studies/<uuid:study_id>/dictionary")
@permits("features.read")
@studies.query(DictionaryQuery)
@studies.answers(200, BYTES, content_type="text/csv", description="One line a feature, UTF-8.")
@studies.also_answers(200, ROWS, content_type="application/json")
@studies.refuses(NotFound, FieldInvalid)
def get_study_dictionary(study_id: UUID, format: str | None = None, as_of: datetime | None = None) -> Response:
    """Take away what the columns of the features mean: unit, direction, plausible range, meaning, names elsewhere."""
    form = form_wanted(format, DICTIONARY_FORMS)
    rows = feature_dictionary(services(), study_id, as_of)
    return download(dictionary_csv(rows) if form == "csv" else encode({"items": rows}), form, "dictionary")


@studies.route("/studies/<uuid:study_id>/reliability")
@permits("reliability.read")
@studies.query(ReliabilityQuery)
@studies.answers(200, Reliability)
@studies.also_answers(200, BYTES, content_type="text/csv")
@studies.refuses(NotPermitted, NotFound, FieldMissing, FieldInvalid)
def get_study_reliability(
    study_id: UUID, measure: str, verdict: str | None = None, format: str | None = None, **words: Any
) -> Any:
    """Tell how reliable scores are: repeatability, measurement error, agreement, known groups, correlations."""
    form = form_wanted(format, RELIABILITY_FORMS)
    words |= {name: split(words[name]) for name in ("periods", "labels", "groups", "references") if name in words}
    observed = also_permits("observation.read")
    found = reliability_of_study(
        services(), study_id, split(measure), words, verdict=verdict, scope=scope(), observed=observed
    )
    return download(reliability_csv(found.scores), form, "reliability") if form == "csv" else found.as_dict()
