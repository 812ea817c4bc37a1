"""Users, roles, logins, sites, care teams and programs' tokens from the command line."""

from uuid import UUID

import pytest

from konectom.errors import NotAuthenticated
from konectom.workflows.access.invitations import accept_invitation
from konectom.workflows.access.logins import log_in
from konectom.workflows.access.tokens import authenticate
from tests.people import PASSWORD


def test_the_first_administrator_sets_a_password_that_no_command_has_seen(konectom, services):
    made = konectom.json("user", "create", "Ada@example.org", "--name", "Ada Lovelace", "--administrator")
    assert made["login"] == "ada@example.org"
    services = services_at_present(services)
    accept_invitation(services, code=made["invitation"], password=PASSWORD)
    opened = log_in(services, login="ada@example.org", password=PASSWORD)
    assert [grant.role for grant in authenticate(services, opened.token).grants] == ["administrator"]
    (listed,) = konectom.json("user", "list")
    assert listed["password_set_at"] is not None
    assert made["invitation"] not in konectom("user", "list").stdout
    assert "last_administrator" in konectom("user", "disable", "ada@example.org", status=1).stderr


def services_at_present(services):
    """The services under the clock by which commands go."""
    from dataclasses import replace

    from konectom.workflows.services import system_clock

    return replace(services, clock=system_clock)


def test_the_code_is_printed(konectom):
    printed = konectom("user", "create", "ada").stdout
    assert "ki_" in printed
    assert konectom.json("user", "invite", "ada")["invitation"] not in printed
    assert "already_exists" in konectom("user", "create", "ADA", status=1).stderr


def test_roles_are_given_listed_and_taken(konectom, people, staff_members):
    study = people.study("pilot")
    site = staff_members.site(study, "PARIS")
    konectom("user", "create", "ada")
    given = konectom.json("user", "grant", "ada", "clinician", "--study", "pilot", "--site", "PARIS")
    assert (given["role"], given["study"], given["site"]) == ("clinician", str(study), str(site))
    assert konectom.json("user", "grants", "ada") == [given]
    konectom("user", "revoke-grant", "ada", given["id"])
    assert konectom.json("user", "grants", "ada")[0]["ended_at"] is not None
    for words in (
        ("nobody", "monitor", "--study", "pilot"),
        ("ada", "monitor"),
        ("ada", "king", "--study", "pilot"),
        ("ada", "monitor", "--study", "none"),
        ("ada", "monitor", "--site", "PARIS"),
        ("ada", "monitor", "--study", "pilot", "--site", "ROME"),
    ):
        konectom("user", "grant", *words, status=1)
    konectom("user", "revoke-grant", "ada", "nonsense", status=1)


def test_who_is_disabled_is_out_and_logins_are_ended(konectom, services, staff_members):
    services = services_at_present(services)
    members = type(staff_members)(services)
    user = UUID(members.with_password("ada")["id"])
    first = log_in(services, login="ada", password=PASSWORD)
    (told,) = konectom.json("user", "logins", "ada")
    assert (told["id"], told["method"]) == (str(first.login_id), "token")
    assert konectom.json("user", "logins", "ada", "--end") == []
    with pytest.raises(NotAuthenticated):
        authenticate(services, first.token)
    second = log_in(services, login="ada", password=PASSWORD)
    assert "disabled ada" in konectom("user", "disable", str(user)).stdout
    with pytest.raises(NotAuthenticated):
        authenticate(services, second.token)
    assert "enabled ada" in konectom("user", "enable", "ada").stdout
    assert "unlinked ada" in konectom("user", "unlink", "ada").stdout
    log_in(services, login="ada", password=PASSWORD)


def test_who_lost_the_second_factor_begins_anew(konectom, services, staff_members):
    services = services_at_present(services)
    members = type(staff_members)(services)
    members.second_factor(UUID(members.with_password("ada")["id"]))
    made = konectom.json("user", "invite", "ada", "--remove-second-factor")
    with pytest.raises(NotAuthenticated):
        log_in(services, login="ada", password=PASSWORD)
    accept_invitation(services, code=made["invitation"], password=PASSWORD)
    assert log_in(services, login="ada", password=PASSWORD).needs_second_factor


def test_sites_are_made_and_listed(konectom):
    konectom("study", "create", "pilot")
    made = konectom.json("site", "create", "PARIS", "--study", "pilot", "--name", "Salpêtrière")
    assert konectom.json("site", "list", "--study", "pilot") == [made]
    assert "already_exists" in konectom("site", "create", "PARIS", "--study", "pilot", status=1).stderr


def test_care_teams_are_made_filled_and_emptied(konectom, people, staff_members):
    study = people.study("pilot")
    people.patient(study, "P1")
    staff_members.member("clinician", study, login="ada")
    konectom("team", "create", "Day clinic", "--study", "pilot")
    konectom("team", "add-member", "Day clinic", "ada", "--study", "pilot")
    konectom("team", "add-patient", "Day clinic", "P1", "--study", "pilot")
    (told,) = konectom.json("team", "list", "--study", "pilot")
    assert [row["login"] for row in told["members"]] == ["ada"]
    assert [row["code"] for row in told["patients"]] == ["P1"]
    printed = konectom("team", "list", "--study", "pilot").stdout
    assert "ada" in printed
    assert "P1" in printed
    konectom("team", "remove-member", told["id"], "ada", "--study", "pilot")
    konectom("team", "remove-patient", told["id"], "P1", "--study", "pilot")
    (told,) = konectom.json("team", "list", "--study", "pilot")
    assert (told["members"], told["patients"]) == ([], [])
    for words in (
        ("add-member", "Ward", "ada"),
        ("add-member", "Day clinic", "grace"),
        ("add-patient", "Day clinic", "P2"),
    ):
        assert "not_found" in konectom("team", *words, "--study", "pilot", status=1).stderr


def test_a_programs_token_is_made_listed_and_revoked(konectom, services, people):
    services = services_at_present(services)
    study = people.study("pilot")
    made = konectom.json("token", "create", "export", "--permission", "features.read", "--study", "pilot", "--days", 5)
    who = authenticate(services, made["token"])
    assert (who.kind, who.name, who.permissions) == ("service", "export", {"features.read"})
    assert who.reach("features.read").studies == {study}
    (listed,) = konectom.json("token", "list")
    assert (listed["id"], listed["revoked_at"]) == (made["id"], None)
    assert made["token"] not in konectom("token", "list").stdout
    konectom("token", "revoke", made["id"])
    with pytest.raises(NotAuthenticated):
        authenticate(services, made["token"])
    konectom("token", "create", "export", "--permission", "user.edit", status=1)
    konectom("token", "revoke", "nonsense", status=1)
