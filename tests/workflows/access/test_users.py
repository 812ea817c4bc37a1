"""Members of staff: made, invited, disabled, known again when they come from an OpenID provider."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from konectom.errors import (
    AlreadyExists,
    FieldInvalid,
    LastAdministrator,
    NotAuthenticated,
    NotFound,
    SecondFactorNeeded,
)
from konectom.security.secrets import hash_of
from konectom.storage.models import Invitation, User
from konectom.workflows.access.invitations import REFUSED, accept_invitation
from konectom.workflows.access.logins import finish_login, log_in, open_login
from konectom.workflows.access.provider_logins import log_in_by_provider
from konectom.workflows.access.second_factor import start_second_factor
from konectom.workflows.access.tokens import authenticate
from konectom.workflows.access.users import (
    create_user,
    disable_user,
    enable_user,
    get_user,
    invite_user,
    list_users,
    unlink_user,
)
from tests.people import PASSWORD

ISSUER = "https://login.hospital.example"


def by_provider(services, subject="s", email=None, *, issuer=ISSUER, verified=True, second_factor=False):
    """Who comes in with this word of a provider."""
    told = {"issuer": issuer, "subject": subject, "email": email, "email_verified": verified}
    return log_in_by_provider(services, **told, second_factor=second_factor).user_id


def test_a_user_is_made_and_sets_a_password_that_nobody_else_knows(services):
    user, invitation = create_user(services, login=" Ada.Lovelace@Example.org ", name="Ada Lovelace")
    assert user["login"] == "ada.lovelace@example.org"
    assert user["password_set_at"] is None
    assert accept_invitation(services, code=invitation.code, password=PASSWORD) == {
        "login": "ada.lovelace@example.org",
        "name": "Ada Lovelace",
    }
    assert get_user(services, UUID(user["id"]))["password_set_at"] == "2026-11-21T09:00:00+00:00"
    assert log_in(services, login="ADA.lovelace@example.org ", password=PASSWORD).user_id == UUID(user["id"])


def test_before_that_nothing_opens(services):
    create_user(services, login="ada")
    for password in (PASSWORD, "", "None"):
        with pytest.raises(NotAuthenticated):
            log_in(services, login="ada", password=password)


def test_a_login_is_given_once(services):
    create_user(services, login="ada")
    with pytest.raises(AlreadyExists):
        create_user(services, login="Ada")


@pytest.mark.parametrize("login", ["", " ", "a b", "ädä", "-ada", "a" * 201, "ada\0", "ada\n.b", "аda"])
def test_a_login_is_plain(services, login):
    with pytest.raises(FieldInvalid) as refused:
        create_user(services, login=login)
    assert refused.value.at == "/login"


def test_only_the_hash_of_an_invitation_is_kept_and_it_is_not_printed_by_accident(services):
    _, invitation = create_user(services, login="ada")
    with services.db.read() as db:
        (row,) = db.scalars(select(Invitation))
    assert row.code_hash == hash_of(invitation.code)
    assert invitation.code[3:] not in repr(invitation)


def test_an_invitation_is_used_once(services):
    _, invitation = create_user(services, login="ada")
    accept_invitation(services, code=invitation.code, password=PASSWORD)
    with pytest.raises(NotAuthenticated, match=REFUSED):
        accept_invitation(services, code=invitation.code, password="another password entirely")
    log_in(services, login="ada", password=PASSWORD)


def test_an_invitation_used_by_many_at_once_sets_one_password(services):
    _, invitation = create_user(services, login="ada")
    passwords = [f"password number {number} of many" for number in range(6)]

    def accept(password):
        try:
            accept_invitation(services, code=invitation.code, password=password)
        except NotAuthenticated:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        accepted = list(pool.map(accept, passwords))
    assert sum(accepted) == 1
    log_in(services, login="ada", password=passwords[accepted.index(True)])


def test_a_password_that_is_refused_leaves_the_invitation(services):
    _, invitation = create_user(services, login="grace.hopper", name="Grace Hopper")
    with pytest.raises(FieldInvalid) as refused:
        accept_invitation(services, code=invitation.code, password="Grace.Hopper.1906")
    assert refused.value.at == "/password"
    accept_invitation(services, code=invitation.code, password=PASSWORD)


def test_an_invitation_expires(services, clock):
    _, invitation = create_user(services, login="ada")
    clock.now = invitation.expires_at
    with pytest.raises(NotAuthenticated, match=REFUSED):
        accept_invitation(services, code=invitation.code, password=PASSWORD)


@pytest.mark.parametrize("code", ["", "ki_", "ki_" + "x" * 43, "ku_" + "x" * 43, "\ud800", "ki_" + "x" * 100_000])
def test_another_code_is_no_invitation(services, code):
    create_user(services, login="ada")
    with pytest.raises(NotAuthenticated, match=REFUSED):
        accept_invitation(services, code=code, password=PASSWORD)


def test_a_new_invitation_ends_the_one_before_and_with_the_password_all_logins(services, staff_members, clock):
    user, first = create_user(services, login="ada")
    user_id = UUID(user["id"])
    second = invite_user(services, user_id)
    with pytest.raises(NotAuthenticated):
        accept_invitation(services, code=first.code, password=PASSWORD)
    accept_invitation(services, code=second.code, password=PASSWORD)
    staff_members.grant(user_id, "administrator")
    opened = log_in(services, login="ada", password=PASSWORD)

    third = invite_user(services, user_id)
    authenticate(services, opened.token)  # the old password holds until the new one is set
    accept_invitation(services, code=third.code, password="quite another password")
    with pytest.raises(NotAuthenticated):
        authenticate(services, opened.token)
    with pytest.raises(NotAuthenticated):
        log_in(services, login="ada", password=PASSWORD)
    log_in(services, login="ada", password="quite another password")


def test_an_invitation_that_removes_the_second_factor_leaves_no_password_that_would_open_alone(
    services, staff_members, clock
):
    user = UUID(staff_members.with_password("ada")["id"])
    staff_members.second_factor(user)
    opened = open_login(services, user, "oidc+mfa")
    invitation = invite_user(services, user, remove_second_factor=True)
    with pytest.raises(NotAuthenticated):
        authenticate(services, opened.token)
    with pytest.raises(NotAuthenticated):
        log_in(services, login="ada", password=PASSWORD)
    accept_invitation(services, code=invitation.code, password=PASSWORD)
    assert log_in(services, login="ada", password=PASSWORD).needs_second_factor


def test_after_the_second_factor_was_removed_the_provider_opens_nothing_until_the_invitation_is_used(
    services, staff_members, clock
):
    user = UUID(staff_members.with_password("ada@example.org")["id"])
    facts = {"email": "ada@example.org"}
    by_provider(services, subject="s", **facts)
    staff_members.second_factor(user)
    invitation = invite_user(services, user, remove_second_factor=True)
    for _ in range(2):
        for subject in ("s", "another"):
            with pytest.raises(NotAuthenticated):
                by_provider(services, subject=subject, **facts)
        for method in ("oidc", "oidc+mfa"):
            with pytest.raises(NotAuthenticated):
                open_login(services, user, method)
        with pytest.raises(FieldInvalid):
            start_second_factor(services, user)
        clock.now = invitation.expires_at  # that it expired opens nothing either
        invitation = invite_user(services, user)
    accept_invitation(services, code=invitation.code, password=PASSWORD)
    assert by_provider(services, subject="s", **facts) == user
    open_login(services, user, "oidc")
    with pytest.raises(FieldInvalid):
        start_second_factor(services, user)
    start_second_factor(services, user, password=PASSWORD)


def test_the_last_administrators_password_is_not_taken_away(services, staff_members):
    first = UUID(staff_members.with_password("first", role="administrator")["id"])
    with pytest.raises(LastAdministrator):
        invite_user(services, first, remove_second_factor=True)
    log_in(services, login="first", password=PASSWORD)
    invite_user(services, first)
    second = UUID(staff_members.with_password("second", role="administrator")["id"])
    with services.db.write() as db:
        db.get_one(User, second).issuer, db.get_one(User, second).subject = ISSUER, "s"
    invite_user(services, second, remove_second_factor=True)
    for call in (disable_user, partial(invite_user, remove_second_factor=True)):
        with pytest.raises(LastAdministrator):  # the provider does not let the second in now
            call(services, first)


def test_who_is_disabled_is_out_at_once_and_for_as_long(services, staff_members):
    user = UUID(staff_members.with_password("ada")["id"])
    opened = open_login(services, user)
    invitation = invite_user(services, user)
    assert disable_user(services, user)["disabled_at"] == "2026-11-21T09:00:00+00:00"
    disable_user(services, user)
    with pytest.raises(NotAuthenticated):
        authenticate(services, opened.token)
    with pytest.raises(NotAuthenticated):
        log_in(services, login="ada", password=PASSWORD)
    with pytest.raises(NotAuthenticated):
        open_login(services, user)
    with pytest.raises(NotAuthenticated):
        accept_invitation(services, code=invitation.code, password="quite another password")

    assert enable_user(services, user)["disabled_at"] is None
    log_in(services, login="ada", password=PASSWORD)
    with pytest.raises(NotAuthenticated):
        authenticate(services, opened.token)
    with pytest.raises(NotAuthenticated):
        accept_invitation(services, code=invitation.code, password="quite another password")


def test_the_last_administrator_who_can_come_in_is_not_disabled(services, staff_members):
    first = UUID(staff_members.with_password("first", role="administrator")["id"])
    with pytest.raises(LastAdministrator):
        disable_user(services, first)
    invited = staff_members.user("invited")
    staff_members.grant(invited, "administrator")
    with pytest.raises(LastAdministrator):
        disable_user(services, first)
    disable_user(services, invited)
    second = UUID(staff_members.with_password("second", role="administrator")["id"])
    disable_user(services, first)
    with pytest.raises(LastAdministrator):
        disable_user(services, second)


def test_two_administrators_who_disable_each_other_at_once_leave_one(services, staff_members):
    both = [UUID(staff_members.with_password(role="administrator")["id"]) for _ in range(2)]

    def disable(user):
        try:
            disable_user(services, user)
        except LastAdministrator:
            return 0
        return 1

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(disable, both)) == 1


def test_nobody_is_found_who_is_not_there(services):
    for call in (get_user, disable_user, enable_user, invite_user, unlink_user):
        with pytest.raises(NotFound):
            call(services, uuid4())


def test_users_are_listed_by_login_without_what_opens(services, staff_members):
    for login in ("grace", "ada", "edith"):
        staff_members.with_password(login)
    listed = list_users(services, limit=2)
    assert [row["login"] for row in listed["items"]] == ["ada", "edith"]
    assert [row["login"] for row in list_users(services, cursor=listed["next"])["items"]] == ["grace"]
    assert [row["login"] for row in list_users(services, login="Grace")["items"]] == ["grace"]
    assert set(listed["items"][0]) == {
        "id", "login", "name", "created_at", "disabled_at", "password_set_at", "second_factor_at", "issuer",
        "locked_until",
    }  # fmt: skip


def test_a_subject_is_linked_by_a_verified_address_once_and_then_known_by_itself(services, staff_members):
    user = staff_members.user("ada@example.org")

    def of(subject="s-1", email="Ada@example.org", verified=True, issuer=ISSUER):
        return by_provider(services, subject, email, verified=verified, issuer=issuer)

    for unverified in (False, None, "true", 1):
        with pytest.raises(NotAuthenticated):
            of(verified=unverified)
    with pytest.raises(NotAuthenticated):
        of(email="somebody@example.org")
    with pytest.raises(NotAuthenticated):
        of(email=None)
    assert of() == user
    assert of(email=None, verified=False) == user
    assert of(email="new.address@example.org") == user
    with pytest.raises(NotAuthenticated):
        of(subject="s-2")  # the address was given to somebody else
    with pytest.raises(NotAuthenticated):
        of(issuer="https://evil.example")
    disable_user(services, user)
    with pytest.raises(NotAuthenticated):
        of()


def test_a_disabled_user_is_not_linked(services, staff_members):
    disable_user(services, staff_members.user("ada@example.org"))
    with pytest.raises(NotAuthenticated):
        by_provider(services, email="ada@example.org")


def test_two_subjects_with_one_address_at_once_link_one(services, staff_members):
    staff_members.user("ada@example.org")

    def link(subject):
        try:
            by_provider(services, subject, "ada@example.org")
        except NotAuthenticated:
            return 0
        return 1

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(link, "abcd")) == 1


@pytest.mark.parametrize(
    "email", ["\u212aing@example.org", "king@example.org\n", " king@example.org", "\u017fking", ""]
)
def test_an_address_that_only_becomes_a_login_links_nobody(email, services, staff_members):
    king, sking = staff_members.user("king@example.org"), staff_members.user("sking")
    with pytest.raises(NotAuthenticated):
        by_provider(services, email=email)
    assert get_user(services, king)["issuer"] is get_user(services, sking)["issuer"] is None


@pytest.mark.parametrize("trusted", [True, False])
def test_who_has_a_second_factor_here_is_linked_once_it_was_shown(trusted, services, staff_members):
    user = UUID(staff_members.with_password("ada@example.org")["id"])
    _, codes = staff_members.second_factor(user)
    with pytest.raises(SecondFactorNeeded) as needed:
        by_provider(services, "s", "ada@example.org", second_factor=trusted)
    assert get_user(services, user)["issuer"] is None
    half = {"state": needed.value.state, "method": "oidc", "subject": (ISSUER, "s")}
    with pytest.raises(NotAuthenticated):
        finish_login(services, user, **half, code="abcd-efgh-ijkl-mnop")
    assert get_user(services, user)["issuer"] is None
    other = staff_members.user("grace@example.org")
    assert by_provider(services, "taken", "grace@example.org") == other
    with pytest.raises(NotAuthenticated):
        finish_login(services, user, **half | {"subject": (ISSUER, "taken")}, code=codes[0])
    finish_login(services, user, **half, code=codes[0])
    assert get_user(services, user)["issuer"] == ISSUER
    assert by_provider(services, "s", second_factor=True) == user
    with pytest.raises(SecondFactorNeeded):
        by_provider(services, "s")


def test_who_was_unlinked_is_known_no_more_and_linked_anew(services, staff_members):
    user = staff_members.user("ada@example.org")
    by_provider(services, "wrong", "ada@example.org")
    opened = open_login(services, user)
    assert unlink_user(services, user)["issuer"] is None
    with pytest.raises(NotAuthenticated):
        authenticate(services, opened.token)
    with pytest.raises(NotAuthenticated):
        by_provider(services, "wrong", "another@example.org")
    assert by_provider(services, "right", "ada@example.org") == user
    unlinked = UUID(staff_members.with_password("grace")["id"])
    kept = open_login(services, unlinked)
    unlink_user(services, unlinked)  # of whom nothing is forgotten, nothing ends
    authenticate(services, kept.token)


def test_the_last_administrator_whom_only_the_provider_lets_in_stays_linked(services, staff_members):
    user = staff_members.user("ada@example.org")
    staff_members.grant(user, "administrator")
    by_provider(services, "s", "ada@example.org")
    with pytest.raises(LastAdministrator):
        unlink_user(services, user)
    staff_members.with_password(role="administrator")
    unlink_user(services, user)
