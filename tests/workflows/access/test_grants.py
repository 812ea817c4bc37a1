"""Roles: where they can be given, that they count and end at once, and that an administrator stays."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from konectom.errors import (
    AlreadyExists,
    FieldInvalid,
    FieldMissing,
    KonectomError,
    LastAdministrator,
    NotFound,
)
from konectom.security.matrix import STUDY_ROLES
from konectom.workflows.access.grants import end_grant, grant_role, list_grants, list_members
from konectom.workflows.access.teams import add_member, create_team, list_teams
from konectom.workflows.access.tokens import authenticate
from konectom.workflows.access.users import disable_user


@pytest.fixture
def study(people) -> UUID:
    return people.study()


@pytest.mark.parametrize("role", STUDY_ROLES)
def test_a_role_counts_from_the_next_request_on_until_it_is_ended(services, staff_members, study, role):
    user = staff_members.user()
    token = staff_members.log_in(user).token
    assert authenticate(services, token).grants == ()
    assert authenticate(services, token).reach("study.read") is None
    grant = staff_members.grant(user, role, study)
    assert authenticate(services, token).reach("study.read").studies == {study}
    end_grant(services, user, grant)
    assert authenticate(services, token).grants == ()
    assert authenticate(services, token).reach("study.read") is None


def test_an_administrators_role_is_everywhere_and_only_so(services, staff_members, study):
    user = staff_members.user()
    with pytest.raises(FieldInvalid) as refused:
        staff_members.grant(user, "administrator", study)
    assert refused.value.at == "/study"
    staff_members.grant(user, "administrator")
    assert authenticate(services, staff_members.log_in(user).token).reach("user.edit").everything


@pytest.mark.parametrize("role", STUDY_ROLES)
def test_the_other_roles_need_a_study(services, staff_members, role):
    with pytest.raises(FieldMissing) as refused:
        staff_members.grant(staff_members.user(), role)
    assert refused.value.at == "/study"


@pytest.mark.parametrize("role", ["device", "service", "root", "", "Administrator"])
def test_other_roles_are_not_for_users(services, staff_members, study, role):
    with pytest.raises(FieldInvalid) as refused:
        staff_members.grant(staff_members.user(), role, study)
    assert refused.value.at == "/role"


def test_a_site_must_be_of_the_study(services, staff_members, people, study):
    user, elsewhere = staff_members.user(), staff_members.site(people.study())
    for site in (elsewhere, uuid4()):
        with pytest.raises(NotFound, match="no such site"):
            staff_members.grant(user, "clinician", study, site)
    with pytest.raises(FieldMissing):
        staff_members.grant(user, "clinician", None, elsewhere)
    with pytest.raises(NotFound, match="no such study"):
        staff_members.grant(user, "clinician", uuid4())
    with pytest.raises(NotFound, match="no such user"):
        staff_members.grant(uuid4(), "clinician", study)
    assert list_grants(services, user)["items"] == []


def test_the_same_role_is_given_once(services, staff_members, study):
    user = staff_members.user()
    first = staff_members.grant(user, "monitor", study)
    with pytest.raises(AlreadyExists):
        staff_members.grant(user, "monitor", study)
    staff_members.grant(user, "monitor", study, staff_members.site(study))
    end_grant(services, user, first)
    staff_members.grant(user, "monitor", study)


def test_the_same_role_given_by_many_at_once_is_given_once(services, staff_members, study):
    user = staff_members.user()

    def give(_):
        try:
            grant_role(services, user, role="monitor", study_id=study)
        except KonectomError:
            return 0
        return 1

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(give, range(4))) == 1


def test_roles_are_listed_also_when_they_ended(services, staff_members, study, clock):
    user = staff_members.user()
    first = staff_members.grant(user, "monitor", study)
    clock.forward(hours=1)
    staff_members.grant(user, "researcher", study)
    clock.forward(hours=1)
    end_grant(services, user, first)
    clock.forward(hours=1)
    end_grant(services, user, first)
    told = [(row["role"], row["study"], row["ended_at"]) for row in list_grants(services, user)["items"]]
    assert told == [("monitor", str(study), "2026-11-21T11:00:00+00:00"), ("researcher", str(study), None)]
    with pytest.raises(NotFound):
        list_grants(services, uuid4())


def test_a_role_is_ended_under_its_own_user(services, staff_members, study):
    grant = staff_members.grant(staff_members.user(), "monitor", study)
    with pytest.raises(NotFound):
        end_grant(services, staff_members.user(), grant)
    with pytest.raises(NotFound):
        end_grant(services, staff_members.user(), uuid4())


def test_the_last_administrator_keeps_the_role(services, staff_members):
    first = UUID(staff_members.with_password("first")["id"])
    role = staff_members.grant(first, "administrator")
    with pytest.raises(LastAdministrator):
        end_grant(services, first, role)
    second = UUID(staff_members.with_password("second", role="administrator")["id"])
    disable_user(services, second)
    with pytest.raises(LastAdministrator):
        end_grant(services, first, role)
    staff_members.with_password("third", role="administrator")
    end_grant(services, first, role)


def test_two_administrators_who_end_each_others_role_at_once_leave_one(services, staff_members):
    roles = []
    for _ in range(2):
        user = UUID(staff_members.with_password()["id"])
        roles.append((user, staff_members.grant(user, "administrator")))

    def end(role):
        try:
            end_grant(services, *role)
        except LastAdministrator:
            return 0
        return 1

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(end, roles)) == 1


def test_who_is_no_clinician_any_more_leaves_the_care_teams_of_that_study(services, staff_members, people, study):
    other = people.study()
    user = staff_members.user()
    site = staff_members.site(study)
    everywhere, here = (
        staff_members.grant(user, "clinician", study),
        staff_members.grant(user, "clinician", study, site),
    )
    staff_members.grant(user, "clinician", other)
    for each in (study, other):
        add_member(services, each, UUID(create_team(services, each, name="Day clinic")["id"]), user)

    def members(of):
        return [row["user"] for row in list_teams(services, of)["items"][0]["members"]]

    end_grant(services, user, everywhere)
    assert members(study) == [str(user)]
    end_grant(services, user, here)
    assert members(study) == []
    assert members(other) == [str(user)]


def test_the_members_of_a_study_are_those_who_work_there_now(services, staff_members, people, study):
    site = staff_members.site(study)
    ada = staff_members.member("clinician", study, site, login="ada")
    grace = staff_members.member("monitor", study, login="grace")
    staff_members.member("monitor", people.study())
    staff_members.member("administrator")
    gone = staff_members.member("researcher", study)
    disable_user(services, gone.user)
    ended = staff_members.user()
    end_grant(services, ended, staff_members.grant(ended, "researcher", study))
    told = {(row["login"], row["role"], row["site"]) for row in list_members(services, study)["items"]}
    assert told == {("ada", "clinician", str(site)), ("grace", "monitor", None)}
    assert {row["user"] for row in list_members(services, study)["items"]} == {str(ada.user), str(grace.user)}


def test_who_is_bound_to_a_site_sees_who_works_there(services, staff_members, study):
    here, elsewhere = staff_members.site(study), staff_members.site(study)
    for login, site in (("ada", here), ("grace", elsewhere), ("jean", None)):
        staff_members.member("clinician", study, site, login=login)
    manager = staff_members.member("study_manager", study, here, login="mary")
    scope = authenticate(services, manager.token).reach("member.read")
    assert {row["login"] for row in list_members(services, study, scope=scope)["items"]} == {"ada", "jean", "mary"}
    assert len(list_members(services, study)["items"]) == 4
