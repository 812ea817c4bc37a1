"""Sites: the clinics that take part in a study."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from konectom.api.access import permits, services
from konectom.api.contract import Resource
from konectom.api.schemas.pages import PageQuery
from konectom.api.schemas.teams import NewSite, Site, SitePage
from konectom.errors import AlreadyExists, FieldInvalid, FieldMissing, NotFound
from konectom.workflows.patients.sites import create_site, list_sites

sites = Resource("sites", __name__, description="Clinics that take part in a study.")


@sites.route("/studies/<uuid:study_id>/sites")
@permits("site.read")
@sites.query(PageQuery)
@sites.answers(200, SitePage)
@sites.refuses(NotFound, FieldInvalid)
def get_study_sites(study_id: UUID, **query: Any) -> Any:
    """List a study's sites by code."""
    return list_sites(services(), study_id, **query)


@sites.route("/studies/<uuid:study_id>/sites", methods=["POST"])
@permits("site.edit")
@sites.body(NewSite)
@sites.answers(201, Site)
@sites.refuses(NotFound, AlreadyExists, FieldMissing, FieldInvalid)
def post_study_site(study_id: UUID, **facts: Any) -> Any:
    """Make a site."""
    return create_site(services(), study_id, **facts)
