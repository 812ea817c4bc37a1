"""What ``gunicorn wsgi:application`` reads when it starts in this directory: the same as ``konectom serve``."""

from konectom.api.server import *  # noqa: F403
