"""``konectom serve``: the server."""

from __future__ import annotations

import os

import click

from konectom.commands._installation import installation
from konectom.errors import StoreUnavailable


@click.command("serve")
@click.option("--host", help="Address to listen on; 0.0.0.0 is every one of this machine. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes. [default: one per processor, at most 4]")
@click.option("--threads", type=click.IntRange(min=1), help="Threads in each process. [default: 8]")
def command(host: str | None, port: int, workers: int | None, threads: int | None) -> None:
    """Serve the REST interface and the pages, until it is told to stop.

    The database must have been set up (konectom db upgrade) and the keys be there, else it does not start. Nor does it
    start, outside of development (KONECTOM_MODE), with settings or files that are not fit for patients' data. TLS is
    left to a proxy before it.
    """
    from konectom.api import server
    from konectom.settings import require_safe

    with installation() as services:
        require_safe(services.settings)
        try:
            services.ping_stores()  # each worker checks the catalogues itself, however it was started
            services.require_keys()
        except StoreUnavailable as error:  # it may come back; the server answers 503 until then
            click.echo(f"konectom: {error.detail}", err=True)
    bind = f"[{host}]:{port}" if host and ":" in host else f"{host or '127.0.0.1'}:{port}"
    words = server.command(bind=bind, workers=workers or server.workers, threads=threads or server.threads)
    os.execv(words[0], words)  # noqa: S606
