"""The server's figures, for Prometheus."""

from __future__ import annotations

from typing import Any

from flask import Response

from konectom.api.access import permits, services
from konectom.api.contract import Resource
from konectom.workflows.exposition import MEDIA_TYPE, exposition

metrics = Resource("metrics", __name__, description="For whatever watches the server.")

TEXT = {"type": "string", "example": 'konectom_uploads_total{outcome="created"} 12.0'}


@metrics.route("/metrics")
@permits("metrics.read")
@metrics.answers(200, TEXT, content_type="text/plain", description="All figures, in Prometheus' text format.")
def get_metrics() -> Any:
    """Tell how the server fares, in figures that name nobody; the same whichever of its processes answers."""
    return Response(exposition(services()), content_type=MEDIA_TYPE)
