"""The first page."""

from __future__ import annotations

from flask import Response

from konectom.dashboard.access import principal, signed_in
from konectom.dashboard.blueprint import dashboard, show
from konectom.dashboard.cookies import services
from konectom.workflows.patients.people import list_studies


@dashboard.get("/")
@signed_in
def home() -> Response:
    """Where am I: the studies that I may see, and what else there is."""
    scope = principal().reach("study.read")
    found = {"items": [], "next": None} if scope is None else list_studies(services(), scope=scope)
    return show(
        "home",
        studies=found["items"],
        more=found["next"] is not None,
        roles=principal().grants,
        restricted=principal().permissions is not None,
    )
