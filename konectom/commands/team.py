"""``konectom team``: care teams, their members and their patients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from konectom.commands._installation import (
    every_row,
    installation,
    patient_named,
    study_named,
    team_named,
    user_named,
)
from konectom.commands._output import format_option, show_one, show_rows

if TYPE_CHECKING:
    from konectom.workflows.services import Services

COLUMNS = ("name", "id", "members", "patients", "created_at")
study_option = click.option("--study", required=True, metavar="STUDY", help="Code or id of the study.")


@click.group("team")
def command() -> None:
    """Say who cares for whom: a clinician sees the patients of his or her teams."""


@command.command("create")
@click.argument("name")
@study_option
@format_option("table", "json")
def create(name: str, study: str, form: str) -> None:
    """Create the care team NAME of a study."""
    from konectom.workflows.access.teams import create_team

    with installation(changes=True) as services:
        team = create_team(services, UUID(study_named(services, study)["id"]), name=name)
        show_one(team, ("name", "id", "created_at"), form)


@command.command("list")
@study_option
@format_option("table", "json")
def list_(study: str, form: str) -> None:
    """List the care teams of a study, by name, with the logins of members and the codes of patients."""
    from konectom.workflows.access.teams import list_teams

    with installation() as services:
        teams = every_row(list_teams, services, study_id=UUID(study_named(services, study)["id"]))
        show_rows(teams if form == "json" else _told(teams), COLUMNS, form)


@command.command("add-member")
@click.argument("team")
@click.argument("login")
@study_option
def add_member_(team: str, login: str, study: str) -> None:
    """Put the clinician LOGIN into TEAM (name or id)."""
    from konectom.workflows.access.teams import add_member

    _change(add_member, team, study, lambda services: user_named(services, login))
    click.echo(f"added {login} to {team}")


@command.command("remove-member")
@click.argument("team")
@click.argument("login")
@study_option
def remove_member_(team: str, login: str, study: str) -> None:
    """Take the clinician LOGIN out of TEAM (name or id)."""
    from konectom.workflows.access.teams import remove_member

    _change(remove_member, team, study, lambda services: user_named(services, login))
    click.echo(f"removed {login} from {team}")


@command.command("add-patient")
@click.argument("team")
@click.argument("patient")
@study_option
def add_patient_(team: str, patient: str, study: str) -> None:
    """Put PATIENT (code or id) into the care of TEAM (name or id)."""
    from konectom.workflows.access.teams import add_patient

    _change(add_patient, team, study, lambda services: patient_named(services, patient, study))
    click.echo(f"added {patient} to {team}")


@command.command("remove-patient")
@click.argument("team")
@click.argument("patient")
@study_option
def remove_patient_(team: str, patient: str, study: str) -> None:
    """Take PATIENT (code or id) out of the care of TEAM (name or id)."""
    from konectom.workflows.access.teams import remove_patient

    _change(remove_patient, team, study, lambda services: patient_named(services, patient, study))
    click.echo(f"removed {patient} from {team}")


def _change(
    how: Callable[[Services, UUID, UUID, UUID], None],
    team: str,
    study: str,
    found: Callable[[Services], dict[str, Any]],
) -> None:
    with installation(changes=True) as services:
        study_id = UUID(study_named(services, study)["id"])
        team_id = UUID(team_named(services, team, study_id)["id"])
        how(services, study_id, team_id, UUID(found(services)["id"]))


def _told(teams: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for team in teams:
        members = " ".join(member["login"] for member in team["members"])
        patients = " ".join(patient["code"] for patient in team["patients"])
        yield team | {"members": members, "patients": patients}
