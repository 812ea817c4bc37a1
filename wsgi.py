"""The WSGI application: ``gunicorn wsgi:application``, or any other server."""

from konectom import create_app

application = create_app()
