"""Users, their roles and invitations, and programs' tokens, over HTTP."""

from uuid import UUID, uuid4

import pytest

from konectom.security.matrix import service_permissions
from konectom.storage.models import User
from tests.api.client import Caller, first_error
from tests.people import PASSWORD


@pytest.fixture
def administrator(callers, staff_members) -> Caller:
    return Caller(callers.client, staff_members.member("administrator").token)


def test_from_the_invitation_to_the_first_request(administrator, anybody, people):
    study = str(people.study())
    made = administrator.post("/users", json={"login": "Ada@example.org", "name": "Ada Lovelace"})
    assert made.status_code == 201
    shown = administrator.get(made.headers["Location"])
    assert shown.json == {name: value for name, value in made.json.items() if name != "invitation"}
    given = administrator.post(f"/users/{made.json['id']}/grants", json={"role": "monitor", "study": study})
    assert (given.status_code, given.json["role"], given.json["site"]) == (201, "monitor", None)
    accepted = anybody.post(
        "/invitations/acceptance", json={"code": made.json["invitation"]["code"], "password": PASSWORD}
    )
    assert accepted.json == {"login": "ada@example.org", "name": "Ada Lovelace"}
    opened = anybody.post("/logins", json={"login": "ada@example.org", "password": PASSWORD})
    assert opened.json["user"] == made.json["id"]


def test_users_are_listed_and_found_by_login(administrator, staff_members):
    staff_members.user("grace")
    assert "grace" in [row["login"] for row in administrator.get("/users").json["items"]]
    assert [row["login"] for row in administrator.get("/users?login=Grace").json["items"]] == ["grace"]
    assert first_error(administrator.get("/users?limit=0"))[1:] == ("field_invalid", "/query/limit")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, (422, "field_missing", "/login")),
        ({"login": "a b"}, (422, "field_invalid", "/login")),
        ({"login": 7}, (422, "field_invalid", "/login")),
        ({"login": "ada", "name": "x" * 201}, (422, "field_invalid", "/name")),
        ({"login": "ada", "password": PASSWORD}, (422, "field_invalid", "/password")),
        ({"login": "taken"}, (409, "already_exists", None)),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(administrator, staff_members, body, error):
    staff_members.user("taken")
    assert first_error(administrator.post("/users", json=body)) == error


def test_a_user_who_is_disabled_is_out_with_the_next_request(administrator, callers, staff_members, people):
    ada = staff_members.member("monitor", people.study())
    caller = Caller(callers.client, ada.token)
    assert caller.get("/studies").status_code == 200
    told = administrator("PUT", f"/users/{ada.user}/state", json={"disabled": True})
    assert told.json["disabled_at"] is not None
    assert caller.get("/studies").status_code == 401
    assert administrator("PUT", f"/users/{ada.user}/state", json={"disabled": False}).json["disabled_at"] is None
    assert caller.get("/studies").status_code == 401


def test_a_role_that_is_taken_away_is_gone_with_the_next_request(administrator, callers, staff_members, people):
    ada = staff_members.member("monitor", people.study())
    caller = Caller(callers.client, ada.token)
    (grant,) = administrator.get(f"/users/{ada.user}/grants").json["items"]
    assert caller.get("/studies").status_code == 200
    assert administrator("DELETE", f"/users/{ada.user}/grants/{grant['id']}").status_code == 204
    assert first_error(caller.get("/studies"))[:2] == (403, "not_permitted")
    assert administrator.get(f"/users/{ada.user}/grants").json["items"][0]["ended_at"] is not None
    assert administrator("DELETE", f"/users/{uuid4()}/grants/{grant['id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"role": "clinician"}, (422, "field_missing", "/study")),
        ({"role": "device"}, (422, "field_invalid", "/role")),
        ({"role": "monitor", "study": "x"}, (422, "field_invalid", "/study")),
        ({"role": "monitor", "study": str(uuid4())}, (404, "not_found", None)),
    ],
)
def test_a_role_that_cannot_be_is_refused(administrator, staff_members, body, error):
    assert first_error(administrator.post(f"/users/{staff_members.user()}/grants", json=body)) == error


def test_a_user_is_unlinked_from_the_provider(administrator, callers, staff_members, people, services):
    ada = staff_members.member("monitor", people.study())
    path = f"/users/{ada.user}"
    with services.db.write() as db:
        row = db.get_one(User, ada.user)
        row.issuer, row.subject = "https://id.example", "s"
    assert administrator.get(path).json["issuer"] == "https://id.example"
    assert administrator("DELETE", f"{path}/subject").status_code == 204
    assert administrator.get(path).json["issuer"] is None
    assert Caller(callers.client, ada.token).get("/me").status_code == 401
    assert administrator("DELETE", f"{path}/subject").status_code == 204
    assert administrator("DELETE", f"/users/{uuid4()}/subject").status_code == 404


def test_the_last_administrator_stays(administrator, staff_members):
    last = staff_members.with_password(role="administrator")["id"]
    path = f"/users/{last}/state"
    assert first_error(administrator("PUT", path, json={"disabled": True}))[:2] == (409, "last_administrator")


def test_a_new_invitation_resets_the_password(administrator, anybody, staff_members):
    user = staff_members.with_password("ada")["id"]
    made = administrator.post(f"/users/{user}/invitations", json={})
    assert made.status_code == 201
    body = {"code": made.json["code"], "password": "quite another password"}
    assert anybody.post("/invitations/acceptance", json=body).status_code == 200
    assert anybody.post("/logins", json={"login": "ada", "password": PASSWORD}).status_code == 401
    assert anybody.post("/logins", json={"login": "ada", "password": "quite another password"}).status_code == 201
    again = administrator.post(f"/users/{user}/invitations", json={"remove_second_factor": True})
    assert again.status_code == 201
    assert anybody.post("/logins", json={"login": "ada", "password": "quite another password"}).status_code == 401


def test_invitations_that_do_not_open_are_told_alike(anybody, administrator, staff_members, clock):
    used = administrator.post("/users", json={"login": "used"}).json["invitation"]["code"]
    expired = administrator.post("/users", json={"login": "expired"}).json
    anybody.post("/invitations/acceptance", json={"code": used, "password": PASSWORD})
    clock.forward(days=8)
    told = set()
    for code in (used, expired["invitation"]["code"], "ki_" + "x" * 43, "x"):
        answer = anybody.post("/invitations/acceptance", json={"code": code, "password": PASSWORD})
        told.add((*first_error(answer), answer.json["detail"]))
    assert len(told) == 1


def test_a_password_is_never_repeated(anybody, administrator):
    code = administrator.post("/users", json={"login": "ada"}).json["invitation"]["code"]
    for password in ("hunter2", "konectom-konectom", "hunter2" * 1000):
        answer = anybody.post("/invitations/acceptance", json={"code": code, "password": password})
        assert first_error(answer) == (422, "field_invalid", "/password")
        assert password not in answer.text


def test_a_programs_token_is_made_for_what_it_names_listed_and_revoked(administrator, callers, people):
    study = people.study()
    made = administrator.post(
        "/tokens", json={"name": "export", "permissions": ["features.read"], "study": str(study), "days": 5}
    )
    assert made.status_code == 201
    program = Caller(callers.client, made.json["token"])
    assert program.get(f"/studies/{study}/dictionary").status_code == 200
    assert program.get("/studies").status_code == 403
    assert program.get(f"/studies/{people.study()}/dictionary").status_code == 404
    (listed,) = administrator.get("/tokens").json["items"]
    assert (listed["id"], listed["permissions"]) == (made.json["id"], ["features.read"])
    assert made.json["token"] not in str(listed)
    assert administrator("DELETE", f"/tokens/{made.json['id']}").status_code == 204
    assert program.get(f"/studies/{study}/dictionary").status_code == 401
    assert administrator("DELETE", f"/tokens/{uuid4()}").status_code == 404


def test_a_token_for_all_studies_names_what_it_is_for_and_tells_who_made_it(administrator, callers, people):
    for body in ({"permissions": ["*"]}, {"permissions": ["*"], "study": None}):
        assert first_error(administrator.post("/tokens", json={"name": "x"} | body))[::2] == (422, "/permissions")
    study = str(people.study())
    assert administrator.post("/tokens", json={"name": "x", "permissions": ["*"], "study": study}).status_code == 201
    assert administrator.post("/tokens", json={"name": "x", "permissions": ["study.read"]}).status_code == 201
    me = administrator.get("/me").json["id"]
    listed = administrator.get("/tokens").json["items"]
    assert [row["created_by"] for row in listed] == [me, me]
    assert "study.create" not in listed[0]["permissions"]
    long = administrator.post("/tokens", json={"name": "x", "permissions": ["study.read"], "days": 367})
    assert first_error(long)[::2] == (422, "/days")


@pytest.mark.parametrize("permission", ["user.edit", "account.own", "identity.read", "patient.erase", "none", ""])
def test_no_program_is_given_what_is_not_for_programs(administrator, permission):
    assert permission not in service_permissions()
    answer = administrator.post("/tokens", json={"name": "x", "permissions": ["features.read", permission]})
    assert first_error(answer) == (422, "field_invalid", "/permissions/1")


def test_only_administrators_see_to_users(callers, staff_members, people, staff, phone):
    study = people.study()
    others = [staff, phone]
    others += [
        Caller(callers.client, staff_members.member(role, study).token)
        for role in ("study_manager", "clinician", "researcher", "monitor")
    ]
    user = UUID(int=0)
    for caller in others:
        for method, path in (
            ("GET", "/users"),
            ("POST", "/users"),
            ("PUT", f"/users/{user}/state"),
            ("POST", f"/users/{user}/grants"),
            ("GET", "/tokens"),
            ("POST", "/tokens"),
        ):
            assert caller(method, path, json={}).status_code == 403
