"""The application: the list of its parts."""

from __future__ import annotations

from contextlib import suppress

import structlog
from flask import Flask

from konectom import __version__, dashboard, logs, metrics
from konectom.api import access, body, errors, headers, limits, noting, openapi, requests, tus
from konectom.api.assessments import assessments
from konectom.api.audit import audit
from konectom.api.campaigns import campaigns
from konectom.api.consents import consents
from konectom.api.contract import Api
from konectom.api.devices import devices
from konectom.api.docs import docs
from konectom.api.following import following
from konectom.api.health import health
from konectom.api.identity import identity
from konectom.api.json import OrjsonProvider
from konectom.api.logins import logins
from konectom.api.metrics import metrics as figures
from konectom.api.observations import observations
from konectom.api.patients import patients
from konectom.api.quarantine import quarantine
from konectom.api.rights import rights
from konectom.api.sessions import sessions
from konectom.api.sites import sites
from konectom.api.studies import studies
from konectom.api.teams import teams
from konectom.api.tokens import tokens
from konectom.api.uploads import uploads
from konectom.api.users import users
from konectom.dashboard import access as pages_access
from konectom.errors import MigrationNeeded, StoreUnavailable
from konectom.settings import Settings, load_settings, require_safe
from konectom.workflows.erasing.erasure import finish_soon
from konectom.workflows.services import Services
from konectom.workflows.uploads.clearing import sweep_soon

_LOG = structlog.get_logger("konectom")
API_PREFIX = "/api/v1"
METADATA_MAX_BYTES = 1024 * 1024
"""Largest body of any request but an upload and a form, which have limits of their own."""


def create_app(settings: Settings | None = None, *, services: Services | None = None) -> Flask:
    """Return the application; settings come from the environment unless given, services from the settings.

    Raises :class:`~konectom.errors.CatalogueChanged` where results are stored under other measures than their
    assessment's version declares now, :class:`~konectom.errors.KeysMissing` and :class:`~konectom.errors.KeysInvalid`
    where the database was set up and the keys of the installation cannot be used, or not all that it needs are there;
    :class:`~konectom.errors.SettingUnsafe` outside of development for what is not fit for patients' data.
    """
    app = Flask("konectom", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = METADATA_MAX_BYTES
    app.json = OrjsonProvider(app)
    services = services or Services.open(settings or load_settings())
    app.extensions["konectom"] = services
    settings = services.settings

    logs.configure(settings.log_format, texts=settings.mode == "development")
    metrics.turn_on()
    require_safe(settings)
    if settings.mode == "development":
        _LOG.warning("server.development", told="not fit for patients' data: set KONECTOM_MODE=production")
    with suppress(StoreUnavailable, MigrationNeeded):  # told by /readyz, until the operator has acted
        services.require_same_catalogues()
        services.require_keys()
    requests.init_app(app)
    headers.init_app(app, settings)
    access.init_app(app, but=frozenset({"dashboard"}))
    pages_access.init_app(app)
    noting.init_app(app)
    limits.init_app(app, settings)
    body.init_app(app)
    tus.init_app(app, f"{API_PREFIX}/uploads")
    errors.init_app(app)

    api = Api(app, title="konectom", version=__version__, info=openapi.INFO)
    openapi.prepare(api.spec)
    for resource in (
        sessions,
        uploads,
        quarantine,
        patients,
        identity,
        observations,
        studies,
        campaigns,
        following,
        rights,
        assessments,
        audit,
        devices,
        consents,
    ):
        api.register_blueprint(resource, url_prefix=API_PREFIX)
    for resource in (sites, teams, users, logins, tokens):
        api.register_blueprint(resource, url_prefix=API_PREFIX)
    for resource in (health, figures):
        api.register_blueprint(resource)
    app.register_blueprint(docs)
    dashboard.init_app(app, services)
    # What was left when the server was stopped: by erasures, by uploads.
    finish_soon(services)
    sweep_soon(services)
    return app
