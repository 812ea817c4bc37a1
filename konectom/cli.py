"""The ``konectom`` command. Each subcommand is a file in :mod:`konectom.commands`, imported when it is called.

Whatever konectom refuses ends as one line on standard error and exit status 1, a wrong use of the command with 2, an
interruption with 130.
"""

from __future__ import annotations

import errno
import os
from importlib import import_module
from typing import Any

import click

from konectom import __version__
from konectom.commands._output import Refusal
from konectom.errors import KonectomError

COMMANDS = (
    "extract",
    "catalogue",
    "demo",
    "serve",
    "worker",
    "db",
    "doctor",
    "keys",
    "study",
    "site",
    "patient",
    "consent",
    "device",
    "user",
    "team",
    "token",
    "import",
    "observe",
    "export",
    "alerts",
    "reprocess",
    "reliability",
    "quarantine",
    "retention",
    "audit",
    "backup",
    "restore",
    "migrate-store",
    "simulate",
    "reference",
)
"""In the order of the help text: what needs nothing, then the server, its people and its data."""

INTERRUPTED = 130


class Commands(click.Group):
    """The subcommands, found by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help text."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the file of one subcommand."""
        if cmd_name not in COMMANDS:
            return None
        # A module cannot be called "import".
        module = import_module(f"konectom.commands.{cmd_name.replace('-', '_')}{'_' if cmd_name == 'import' else ''}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; turn refusals and interruptions into exit statuses."""
        try:
            return super().invoke(ctx)
        except KonectomError as error:
            place = f" at {error.at}" if error.at else ""
            raise Refusal(f"{error.detail} [{error.code}{place}]") from error
        except KeyboardInterrupt:
            click.echo("konectom: interrupted", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        except OSError as error:
            if error.errno == errno.EPIPE or error.strerror is None:
                raise
            where = f": {error.filename}" if error.filename else ""
            raise Refusal(f"{error.strerror}{where}") from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """A backend for remote neurological assessment.

    A phone records a test; konectom says whether it is good enough to count, computes digital measures, and keeps each
    patient's scores over years.
    """


def main() -> None:
    """Run the command."""
    # One recording is too small for several threads of linear algebra: starting them costs more than it gains.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    cli.main(prog_name="konectom")


if __name__ == "__main__":
    main()
