"""Care teams: who is in them, whom they care for, and what that opens."""

from uuid import UUID, uuid4

import pytest

from konectom.errors import AlreadyExists, FieldInvalid, NotFound
from konectom.workflows.access.teams import (
    add_member,
    add_patient,
    create_team,
    list_teams,
    remove_member,
    remove_patient,
)
from konectom.workflows.access.tokens import authenticate
from konectom.workflows.access.users import disable_user
from konectom.workflows.patients.people import list_patients


@pytest.fixture
def study(people) -> UUID:
    return people.study()


@pytest.fixture
def team(services, study) -> UUID:
    return UUID(create_team(services, study, name="Day clinic")["id"])


def seen_by(services, caller):
    scope = authenticate(services, caller.token).reach("patient.read")
    return {UUID(row["id"]) for row in list_patients(services, scope=scope)["items"]}


def test_a_clinician_sees_the_patients_of_the_own_teams_from_then_on_until(
    services, staff_members, people, study, team
):
    ada = staff_members.member("clinician", study)
    ours, theirs = people.patient(study), people.patient(study)
    assert seen_by(services, ada) == set()
    add_patient(services, study, team, ours)
    assert seen_by(services, ada) == set()
    add_member(services, study, team, ada.user)
    assert seen_by(services, ada) == {ours}
    add_patient(services, study, team, theirs)
    assert seen_by(services, ada) == {ours, theirs}
    remove_patient(services, study, team, ours)
    assert seen_by(services, ada) == {theirs}
    remove_member(services, study, team, ada.user)
    assert seen_by(services, ada) == set()


def test_to_add_again_changes_nothing(services, staff_members, people, study, team, clock):
    ada, patient = staff_members.member("clinician", study), people.patient(study)
    for _ in range(2):
        add_member(services, study, team, ada.user)
        add_patient(services, study, team, patient)
        clock.forward(days=1)
    (told,) = list_teams(services, study)["items"]
    assert [(row["user"], row["since"][:10]) for row in told["members"]] == [(str(ada.user), "2026-11-21")]
    assert [row["id"] for row in told["patients"]] == [str(patient)]


@pytest.mark.parametrize("role", ["study_manager", "researcher", "monitor", "administrator"])
def test_only_clinicians_of_the_study_are_members(services, staff_members, people, study, team, role):
    strange = [staff_members.member(role, None if role == "administrator" else study).user]
    strange += [staff_members.member("clinician", people.study()).user, staff_members.user(), uuid4()]
    for user in strange:
        with pytest.raises(NotFound, match="no such clinician in this study"):
            add_member(services, study, team, user)


def test_a_clinician_who_is_disabled_is_not_added(services, staff_members, study, team):
    ada = staff_members.member("clinician", study)
    disable_user(services, ada.user)
    with pytest.raises(NotFound):
        add_member(services, study, team, ada.user)


def test_only_patients_of_the_study_are_cared_for(services, people, study, team):
    for patient in (people.patient(), uuid4()):
        with pytest.raises(NotFound, match="no such patient"):
            add_patient(services, study, team, patient)


def test_a_team_is_of_its_study(services, staff_members, people, study, team):
    other = people.study()
    ada, patient = staff_members.member("clinician", other), people.patient(other)
    for change, who in (
        (add_member, ada.user),
        (remove_member, ada.user),
        (add_patient, patient),
        (remove_patient, patient),
    ):
        with pytest.raises(NotFound, match="no such care team"):
            change(services, other, team, who)
        with pytest.raises(NotFound, match="no such care team"):
            change(services, other, uuid4(), who)


def test_to_remove_what_is_not_there_changes_nothing(services, staff_members, people, study, team):
    ada, patient = staff_members.member("clinician", study), people.patient(study)
    add_member(services, study, team, ada.user)
    remove_member(services, study, team, uuid4())
    remove_patient(services, study, team, patient)
    (told,) = list_teams(services, study)["items"]
    assert [row["user"] for row in told["members"]] == [str(ada.user)]


def test_a_name_is_given_once_in_a_study(services, people, study, team):
    with pytest.raises(AlreadyExists):
        create_team(services, study, name=" Day clinic ")
    create_team(services, people.study(), name="Day clinic")
    with pytest.raises(NotFound):
        create_team(services, uuid4(), name="Day clinic")
    for name in ("", "  ", "x" * 201, "a\0b"):
        with pytest.raises(FieldInvalid):
            create_team(services, study, name=name)


def test_the_list_shows_the_patients_that_the_caller_may_see(services, staff_members, people, study, team):
    ward = UUID(create_team(services, study, name="Ward")["id"])
    ada, grace = staff_members.member("clinician", study), staff_members.member("clinician", study)
    ours, theirs = people.patient(study), people.patient(study)
    add_member(services, study, team, ada.user)
    add_member(services, study, ward, grace.user)
    add_patient(services, study, team, ours)
    add_patient(services, study, ward, theirs)

    def shown(caller):
        scope = authenticate(services, caller.token).reach("patient.read")
        teams = list_teams(services, study, patients=scope)["items"]
        return {team["name"]: [row["id"] for row in team["patients"]] for team in teams}

    assert shown(ada) == {"Day clinic": [str(ours)], "Ward": []}
    assert shown(staff_members.member("study_manager", study)) == {"Day clinic": [str(ours)], "Ward": [str(theirs)]}


def test_teams_are_listed_page_by_page(services, study, team):
    create_team(services, study, name="Ward")
    first = list_teams(services, study, limit=1)
    second = list_teams(services, study, cursor=first["next"])
    assert [row["name"] for row in (*first["items"], *second["items"])] == ["Day clinic", "Ward"]
    assert second["next"] is None


def test_who_is_bound_to_a_site_sees_the_teams_that_have_a_patient_there(services, staff_members, people, study, team):
    here, elsewhere = staff_members.site(study), staff_members.site(study)
    create_team(services, study, name="Empty")
    both = UUID(create_team(services, study, name="Ward")["id"])
    ours, theirs = people.patient(study, site_id=here), people.patient(study, site_id=elsewhere)
    add_patient(services, study, team, theirs)
    add_patient(services, study, both, ours)
    add_patient(services, study, both, theirs)
    caller = authenticate(services, staff_members.member("study_manager", study, here).token)
    seen, scope = caller.reach("patient.read"), caller.reach("team.read")
    (told,) = list_teams(services, study, scope=scope, patients=seen)["items"]
    assert (told["name"], [row["id"] for row in told["patients"]]) == ("Ward", [str(ours)])
