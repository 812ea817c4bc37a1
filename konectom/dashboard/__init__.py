"""The pages: signing in, one's own account, and what lies behind them. Made on the server; no script runs in them.

``access`` decides who may see a page, ``forms`` whether what was sent came from one of them, ``cookies`` what a browser
keeps; ``oidc`` speaks with the OpenID provider.
"""

from __future__ import annotations

from flask import Flask

from konectom.dashboard import account, home, sign_in
from konectom.dashboard.blueprint import dashboard
from konectom.workflows.services import Services

__all__ = ["account", "dashboard", "home", "init_app", "sign_in"]


def init_app(app: Flask, services: Services) -> None:
    """Add the pages to ``app``, and the OpenID provider where the settings name one."""
    provider = None
    if services.settings.oidc_issuer:
        from konectom.dashboard.oidc import Provider  # costs a start that has no provider half a second

        provider = Provider(app, services.settings)
    app.extensions["konectom.oidc"] = provider
    app.register_blueprint(dashboard)
