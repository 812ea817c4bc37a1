"""The catalogue: which tests there are, what each needs, measures and checks."""

from __future__ import annotations

from typing import Any

from konectom.api.access import permits
from konectom.api.contract import Resource
from konectom.api.schemas.catalogue import Assessments, DeclaredAssessment, Measures, MeasuresQuery
from konectom.api.schemas.trends import Definitions, Norms
from konectom.errors import AssessmentUnknown, FieldInvalid, NotFound
from konectom.workflows.catalogue import (
    describe_assessment,
    list_assessments,
    list_definitions,
    list_measures,
    list_norms,
)

assessments = Resource("assessments", __name__, description="The tests and what they measure.")


@assessments.route("/assessments")
@permits("catalogue.read")
@assessments.answers(200, Assessments)
def get_assessments() -> Any:
    """List the tests, by name."""
    return {"items": list_assessments()}


@assessments.route("/assessments/<name>")
@permits("catalogue.read")
@assessments.answers(200, DeclaredAssessment)
@assessments.refuses(NotFound)
def get_assessment_by_name(name: str) -> Any:
    """Show a test: what a recording of it must carry, its measures, and when a recording counts."""
    try:
        return describe_assessment(name)
    except AssessmentUnknown as unknown:
        raise NotFound(unknown.detail) from None


@assessments.route("/measures")
@permits("catalogue.read")
@assessments.query(MeasuresQuery)
@assessments.answers(200, Measures)
@assessments.refuses(FieldInvalid)
def get_measures(**query: Any) -> Any:
    """Show the data dictionary: every value there can be, with unit, direction and meaning."""
    return {"items": list_measures(**query)}


@assessments.route("/definitions")
@permits("reference.read")
@assessments.answers(200, Definitions)
def get_definitions() -> Any:
    """List the definitions of confirmed change, each with all that decides."""
    return {"items": list_definitions()}


@assessments.route("/norms")
@permits("reference.read")
@assessments.answers(200, Norms)
def get_norms() -> Any:
    """List the norms, each with its source, its population and its numbers."""
    return {"items": list_norms()}
