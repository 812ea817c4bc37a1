"""Logging in: one answer for all that is wrong, a lock that grows and ends, and ends that count at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pyotp
import pytest
from sqlalchemy import event, select

from konectom.errors import (
    AlreadyExists,
    FieldInvalid,
    NotAuthenticated,
    NotFound,
    SealBroken,
    SecondFactorNeeded,
    TooBusy,
)
from konectom.security.passwords import Passwords
from konectom.security.secrets import hash_of
from konectom.storage.models import AuditRow, Login, RecoveryCode, User
from konectom.workflows.access.invitations import accept_invitation
from konectom.workflows.access.logins import end_all_logins, end_login, finish_login, list_logins, log_in, open_login
from konectom.workflows.access.proofs import FREE_TRIES, LONGEST_LOCK, lock_after, state_of
from konectom.workflows.access.second_factor import (
    change_password,
    confirm_second_factor,
    remove_second_factor,
    renew_recovery_codes,
    start_second_factor,
)
from konectom.workflows.access.tokens import authenticate
from konectom.workflows.access.users import disable_user, enable_user, get_user, invite_user
from tests.people import PASSWORD, QUICK, with_settings


class Watched(Passwords):
    """Passwords that remember what was verified."""

    def __init__(self):
        super().__init__(time_cost=1, memory_kib=64, lanes=1, waiting=100)
        self.verified = []

    def verify(self, kept, password):
        self.verified.append(kept)
        return super().verify(kept, password)


def tries(services, password, login="ada", code=None):
    """Whether a login opens."""
    try:
        log_in(services, login=login, password=password, code=code)
    except SecondFactorNeeded:
        return "code needed"
    except NotAuthenticated:
        return False
    return True


@pytest.fixture
def ada(staff_members) -> UUID:
    """A user with a password, who runs the installation."""
    return UUID(staff_members.with_password("ada", role="administrator")["id"])


def test_a_login_opens_what_the_user_may_do(services, staff_members, people, clock):
    study = people.study()
    user = UUID(staff_members.with_password("ada")["id"])
    site = staff_members.site(study)
    staff_members.grant(user, "monitor", study)
    staff_members.grant(user, "clinician", study, site)
    opened = log_in(services, login="ada", password=PASSWORD)
    assert opened.token.startswith("ku_")
    assert opened.expires_at == clock.now + timedelta(hours=12)
    assert opened.token[3:] not in repr(opened)
    who = authenticate(services, opened.token)
    assert (who.kind, who.id, who.name, who.login_id) == ("user", user, "ada", opened.login_id)
    assert {(each.role, each.study_id, each.site_id) for each in who.grants} == {
        ("monitor", study, None),
        ("clinician", study, site),
    }
    with services.db.read() as db:
        assert db.scalars(select(Login.token_hash)).all() == [hash_of(opened.token)]


def test_all_that_is_wrong_gets_one_answer_and_costs_one_verification(services, staff_members, ada, clock):
    services = replace(services, passwords=Watched())
    disabled = UUID(staff_members.with_password("disabled")["id"])
    disable_user(services, disabled)
    locked = UUID(staff_members.with_password("locked")["id"])
    with services.db.write() as db:
        db.get_one(User, locked).locked_until = clock.now + timedelta(minutes=1)
    staff_members.user("invited")
    guarded = UUID(staff_members.with_password("guarded")["id"])
    staff_members.second_factor(guarded)
    answers = set()
    wrong = [
        ("nobody", PASSWORD, None),
        ("", "", None),
        ("a" * 5000, "x" * 5000, None),
        ("ada", "wrong password", None),
        ("disabled", PASSWORD, None),
        ("locked", PASSWORD, None),
        ("locked", "wrong password", None),
        ("invited", PASSWORD, None),
        ("guarded", "wrong password", None),
        ("guarded", "wrong password", "123456"),
        ("guarded", PASSWORD, "12345"),
        ("guarded", PASSWORD, "abcd-efgh-ijkl-mnop"),
    ]
    for login, password, code in wrong:
        services.passwords.verified.clear()
        with pytest.raises(NotAuthenticated) as refused:
            log_in(services, login=login, password=password, code=code)
        answers.add((type(refused.value), refused.value.detail, refused.value.at, str(refused.value.context)))
        assert len(services.passwords.verified) == 1, login
    assert len(answers) == 1


def test_the_audit_tells_of_each_try_and_of_no_login_that_was_entered(services, ada):
    for login, password in (("ada", "wrong password"), ("my secret password", "x"), ("ada", PASSWORD)):
        tries(services, password, login)
    with services.db.read() as db:
        noted = db.scalars(select(AuditRow).where(AuditRow.change == "event").order_by(AuditRow.seq)).all()
    assert [(row.entity_id, row.detail["event"]) for row in noted] == [
        (str(ada), "proof tried"),
        ("", "proof tried"),
        (str(ada), "proof tried"),
        (str(ada), "logged in"),
    ]
    assert "secret" not in str([row.detail for row in noted])


def test_an_account_locks_for_longer_and_longer_and_ends_by_itself(services, ada, clock):
    for _ in range(FREE_TRIES):
        assert not tries(services, "wrong password")
    assert not tries(services, PASSWORD)
    clock.forward(minutes=1, microseconds=-1)
    assert not tries(services, PASSWORD)
    clock.forward(microseconds=1)
    assert not tries(services, "wrong password")
    clock.forward(minutes=1)
    assert not tries(services, PASSWORD)
    clock.forward(minutes=1)
    assert tries(services, PASSWORD)


def test_the_lock_doubles_up_to_an_hour():
    minutes = [lock_after(failures) and lock_after(failures) / timedelta(minutes=1) for failures in range(4, 14)]
    assert minutes == [None, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert lock_after(100_000) == LONGEST_LOCK


def test_tries_while_it_is_locked_do_not_make_it_last(services, ada, clock):
    for _ in range(FREE_TRIES):
        tries(services, "wrong password")
    for _ in range(59):
        clock.forward(seconds=1)
        assert not tries(services, "wrong password")
        assert not tries(services, PASSWORD)
    clock.forward(seconds=1)
    assert tries(services, PASSWORD)


def test_what_is_right_begins_the_count_anew(services, ada):
    for _ in range(3):
        for _ in range(FREE_TRIES - 1):
            assert not tries(services, "wrong password")
        assert tries(services, PASSWORD)


def test_enabling_lifts_a_lock(services, ada):
    for _ in range(FREE_TRIES):
        tries(services, "wrong password")
    enable_user(services, ada)
    assert tries(services, PASSWORD)


def test_guesses_at_the_same_instant_do_not_outrun_the_count(services, ada):
    services = replace(services, passwords=Watched())
    with ThreadPoolExecutor(12) as pool:
        assert not any(pool.map(lambda _: tries(services, "wrong password"), range(40)))
    with services.db.read() as db:
        user = db.get_one(User, ada)
    assert user.failures == FREE_TRIES
    assert user.locked_until is not None
    # Each try cost a verification, but after the fifth what it said was not looked at.
    assert len(services.passwords.verified) == 40
    assert not tries(services, PASSWORD)


def test_who_is_sent_away_for_others_has_not_tried(services, ada):
    class Busy(Passwords):
        def turn(self):
            raise TooBusy("others are first")

    for _ in range(FREE_TRIES + 1):
        with pytest.raises(TooBusy):
            tries(replace(services, passwords=Busy()), PASSWORD)
    assert tries(services, PASSWORD)


def test_right_guesses_are_lost_among_forty_wrong_ones_at_the_same_instant(services, ada):
    for _ in range(FREE_TRIES):
        tries(services, "wrong password")
    with ThreadPoolExecutor(12) as pool:
        opened = list(pool.map(lambda n: tries(services, PASSWORD if n % 2 else "wrong password"), range(20)))
    assert not any(opened)


def test_a_hash_of_older_parameters_is_renewed_at_the_next_login(services, ada):
    stronger = replace(services, passwords=Passwords(time_cost=2, memory_kib=128, lanes=1))
    with services.db.read() as db:
        before = db.get_one(User, ada).password_hash
    assert tries(stronger, PASSWORD)
    with services.db.read() as db:
        after = db.get_one(User, ada).password_hash
    assert QUICK.is_outdated(after)
    assert not QUICK.is_outdated(before)
    assert not stronger.passwords.is_outdated(after)
    assert tries(stronger, PASSWORD)


def test_a_login_ends_when_nothing_is_asked_for(services, ada, clock):
    services = with_settings(services, require_second_factor="no")
    opened = log_in(services, login="ada", password=PASSWORD)
    for _ in range(5):
        clock.forward(minutes=29)
        authenticate(services, opened.token)
    clock.forward(minutes=30)
    with pytest.raises(NotAuthenticated, match="expired"):
        authenticate(services, opened.token)


def test_a_login_ends_after_half_a_day_however_busy(services, ada, clock):
    opened = log_in(services, login="ada", password=PASSWORD)
    for _ in range(12 * 6 - 1):
        clock.forward(minutes=10)
        authenticate(services, opened.token)
    clock.forward(minutes=10)
    with pytest.raises(NotAuthenticated, match="expired at 2026-11-21T21:00"):
        authenticate(services, opened.token)


def test_to_be_seen_is_written_once_a_minute(services, ada, clock):
    opened = log_in(services, login="ada", password=PASSWORD)
    writes = []
    event.listen(services.db.engine, "before_cursor_execute", lambda *given: writes.append(given[2]))
    for _ in range(59):
        clock.forward(seconds=1)
        authenticate(services, opened.token)
    assert not [each for each in writes if each.startswith(("UPDATE", "INSERT", "BEGIN IMMEDIATE"))]
    clock.forward(seconds=1)
    authenticate(services, opened.token)
    assert len([each for each in writes if each.startswith("UPDATE")]) == 1


@pytest.mark.parametrize("token", ["ku_", "ku_" + "x" * 43, "ku_\ud800", "ku_" + "x" * 100_000])
def test_an_unknown_token_opens_nothing(services, token):
    with pytest.raises(NotAuthenticated, match="not known"):
        authenticate(services, token)


def test_a_token_under_another_prefix_opens_nothing(services, staff_members):
    token = staff_members.member("administrator").token
    for prefix in ("kd_", "ks_", "ki_", "kr_", "ke_", ""):
        with pytest.raises(NotAuthenticated):
            authenticate(services, prefix + token[3:])


def test_logins_are_ended_one_by_one_and_all_at_once(services, ada):
    first, second, third = (open_login(services, ada, "page") for _ in range(3))
    end_login(services, first.login_id)
    end_login(services, first.login_id)
    with pytest.raises(NotAuthenticated, match="ended"):
        authenticate(services, first.token)
    authenticate(services, second.token)
    listed = {row["id"] for row in list_logins(services, ada)["items"]}
    assert listed == {str(second.login_id), str(third.login_id)}
    end_all_logins(services, ada)
    assert list_logins(services, ada)["items"] == []
    for each in (second, third):
        with pytest.raises(NotAuthenticated):
            authenticate(services, each.token)
    with pytest.raises(NotFound):
        end_login(services, uuid4())


def test_what_expired_is_not_listed(services, ada, clock):
    open_login(services, ada, "page")
    clock.forward(minutes=30)
    assert list_logins(services, ada)["items"] == []


def test_changing_the_password_ends_all_logins(services, ada):
    opened = open_login(services, ada, "oidc")
    authenticate(services, opened.token)
    with pytest.raises(FieldInvalid) as refused:
        change_password(services, ada, password="wrong password", new="a new long password")
    assert refused.value.at == "/password"
    with pytest.raises(FieldInvalid) as refused:
        change_password(services, ada, password=PASSWORD, new="short")
    assert refused.value.at == "/new"
    authenticate(services, opened.token)
    change_password(services, ada, password=PASSWORD, new="a new long password")
    with pytest.raises(NotAuthenticated):
        authenticate(services, opened.token)
    assert not tries(services, PASSWORD)
    assert tries(services, "a new long password")


def test_whoever_holds_a_token_cannot_guess_the_password_with_it_either(services, ada):
    for _ in range(FREE_TRIES):
        with pytest.raises(FieldInvalid):
            change_password(services, ada, password="wrong password", new="a new long password")
    with pytest.raises(FieldInvalid):
        change_password(services, ada, password=PASSWORD, new="a new long password")
    assert not tries(services, PASSWORD)


def test_without_the_required_second_factor_only_the_own_account_is_open(services, ada, clock):
    opened = log_in(services, login="ada", password=PASSWORD)
    assert opened.needs_second_factor
    who = authenticate(services, opened.token)
    assert who.reach("account.own") is not None
    assert who.reach("user.read") is None
    totp_secret = start_second_factor(services, ada, password=PASSWORD)
    assert authenticate(services, opened.token).reach("user.read") is None
    confirm_second_factor(services, ada, code=pyotp.TOTP(totp_secret.secret).at(clock.now), login_id=opened.login_id)
    assert authenticate(services, opened.token).reach("user.read") is not None


def test_where_it_is_not_required_or_the_provider_sees_to_it_nothing_is_closed(services, ada):
    optional = with_settings(services, require_second_factor="no")
    opened = log_in(optional, login="ada", password=PASSWORD)
    assert not opened.needs_second_factor
    assert authenticate(optional, opened.token).reach("user.read") is not None
    assert authenticate(services, open_login(services, ada, "oidc").token).reach("user.read") is None
    assert authenticate(services, open_login(services, ada, "oidc+mfa").token).reach("user.read") is not None


def test_confirming_ends_the_logins_that_the_password_alone_had_opened(services, ada, staff_members):
    thief = log_in(services, login="ada", password=PASSWORD)
    staff_members.second_factor(ada)
    with pytest.raises(NotAuthenticated):
        authenticate(services, thief.token)


def test_a_second_factor_counts_once_it_is_confirmed(services, ada, clock):
    started = start_second_factor(services, ada, password=PASSWORD)
    assert started.secret not in repr(started)
    assert tries(services, PASSWORD) is True
    with pytest.raises(FieldInvalid) as refused:
        confirm_second_factor(services, ada, code="000000")
    assert refused.value.at == "/code"
    again = start_second_factor(services, ada, password=PASSWORD)
    with pytest.raises(FieldInvalid):
        confirm_second_factor(services, ada, code=pyotp.TOTP(started.secret).at(clock.now))
    codes = confirm_second_factor(services, ada, code=pyotp.TOTP(again.secret).at(clock.now))
    assert len(codes) == 10
    assert tries(services, PASSWORD) == "code needed"
    with pytest.raises(AlreadyExists):
        start_second_factor(services, ada, password=PASSWORD)
    with pytest.raises(NotFound):
        confirm_second_factor(services, ada, code=pyotp.TOTP(again.secret).at(clock.now))


def test_to_begin_needs_the_password(services, ada):
    with pytest.raises(FieldInvalid) as refused:
        start_second_factor(services, ada, password="wrong password")
    assert refused.value.at == "/password"


def test_a_code_opens_once(services, ada, staff_members, clock):
    totp, _ = staff_members.second_factor(ada)
    assert not tries(services, PASSWORD, code=totp.at(clock.now))  # it was used to confirm
    clock.forward(seconds=30)
    code = totp.at(clock.now)
    assert tries(services, PASSWORD, code=code) is True
    assert tries(services, PASSWORD, code=code) is False
    clock.forward(seconds=30)
    assert tries(services, PASSWORD, code=totp.at(clock.now)) is True


def test_a_code_used_by_many_at_once_opens_once(services, ada, staff_members, clock):
    totp, _ = staff_members.second_factor(ada)
    clock.forward(seconds=30)
    code = totp.at(clock.now)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: tries(services, PASSWORD, code=code) is True, range(4))) == 1


def test_wrong_codes_lock_too_and_asking_without_a_code_forgives_none(services, ada, staff_members, clock):
    totp, _ = staff_members.second_factor(ada)
    clock.forward(seconds=30)
    for _ in range(FREE_TRIES):
        assert tries(services, PASSWORD) == "code needed"
        assert tries(services, PASSWORD, code="000000") is False
    assert tries(services, PASSWORD) is False
    assert tries(services, PASSWORD, code=totp.at(clock.now)) is False
    clock.forward(minutes=1)
    assert tries(services, PASSWORD, code=totp.at(clock.now)) is True


def test_asking_without_a_code_counts_as_no_failure(services, ada, staff_members):
    staff_members.second_factor(ada)
    for _ in range(3 * FREE_TRIES):
        assert tries(services, PASSWORD) == "code needed"


def test_a_recovery_code_opens_once(services, ada, staff_members):
    _, codes = staff_members.second_factor(ada)
    assert tries(services, PASSWORD, code=codes[0].upper().replace("-", " ")) is True
    assert tries(services, PASSWORD, code=codes[0]) is False
    assert tries(services, "wrong password", code=codes[1]) is False
    assert tries(services, PASSWORD, code=codes[1]) is True


def test_a_recovery_code_used_by_many_at_once_opens_once(services, ada, staff_members):
    _, codes = staff_members.second_factor(ada)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: tries(services, PASSWORD, code=codes[3]) is True, range(4))) == 1


def test_a_recovery_code_is_its_owners(services, ada, staff_members):
    grace = UUID(staff_members.with_password("grace")["id"])
    _, codes = staff_members.second_factor(grace)
    staff_members.second_factor(ada)
    assert tries(services, PASSWORD, code=codes[0]) is False
    assert tries(services, PASSWORD, login="grace", code=codes[0]) is True


def test_recovery_codes_are_kept_as_hashes_and_renewed(services, ada, staff_members, clock):
    totp, codes = staff_members.second_factor(ada)
    with services.db.read() as db:
        kept = db.scalars(select(RecoveryCode.code_hash)).all()
    assert len(kept) == 10
    assert not set(codes) & set(kept)
    clock.forward(seconds=30)
    new = renew_recovery_codes(services, ada, password=PASSWORD, code=totp.at(clock.now))
    assert not set(codes) & set(new)
    assert tries(services, PASSWORD, code=codes[5]) is False
    assert tries(services, PASSWORD, code=new[5]) is True


def test_removing_needs_password_and_code(services, ada, staff_members, clock):
    with pytest.raises(NotFound):
        remove_second_factor(services, ada, password=PASSWORD, code="123456")
    totp, _ = staff_members.second_factor(ada)
    clock.forward(seconds=30)
    for password, code in ((PASSWORD, "000000"), ("wrong password", totp.at(clock.now)), (PASSWORD, "")):
        with pytest.raises(FieldInvalid) as refused:
            remove_second_factor(services, ada, password=password, code=code)
        assert refused.value.at == "/password"
    remove_second_factor(services, ada, password=PASSWORD, code=totp.at(clock.now))
    assert tries(services, PASSWORD) is True
    with services.db.read() as db:
        assert db.get_one(User, ada).totp_sealed is None
        assert db.scalars(select(RecoveryCode)).all() == []


def test_the_secret_of_one_user_does_not_serve_another(services, ada, staff_members, clock):
    grace = UUID(staff_members.with_password("grace")["id"])
    totp, _ = staff_members.second_factor(grace)
    staff_members.second_factor(ada)
    with services.db.write() as db:
        db.get_one(User, ada).totp_sealed = db.get_one(User, grace).totp_sealed
    clock.forward(seconds=30)
    with pytest.raises(SealBroken):
        tries(services, PASSWORD, code=totp.at(clock.now))


def test_the_second_step_alone_needs_a_code_and_locks_like_the_first(services, ada, staff_members, clock):
    def finishes(code, user=ada):
        with services.db.read() as db:
            state = state_of(db.get_one(User, ada))
        try:
            finish_login(services, user, state=state, code=code)
        except NotAuthenticated:
            return False
        return True

    for code in ("", "000000", "abcd-efgh-ijkl-mnop"):
        assert not finishes(code)  # there is no second factor yet
        assert not finishes(code, uuid4())
    enable_user(services, ada)
    totp, codes = staff_members.second_factor(ada)
    clock.forward(seconds=30)
    assert not finishes("")
    assert finishes(totp.at(clock.now))
    assert not finishes(totp.at(clock.now))
    assert finishes(codes[0])
    for _ in range(FREE_TRIES):
        assert not finishes("000000")
    assert not finishes(codes[1])
    clock.forward(minutes=1)
    assert finishes(codes[1])
    disable_user_of_two(services, staff_members, ada)
    assert not finishes(codes[2])


@pytest.mark.parametrize("change", ["password", "reset", "second factor", "linked", "nothing"])
def test_the_second_step_is_worth_nothing_once_the_account_has_changed(change, services, ada, staff_members, clock):
    """The clock stands still in between: that something changed is known by itself, not by when."""
    staff_members.with_password(role="administrator")
    _, codes = staff_members.second_factor(ada)
    with pytest.raises(SecondFactorNeeded) as needed:
        log_in(services, login="ada", password=PASSWORD)
    assert needed.value.as_dict().keys() == {"code", "detail"}
    if change == "password":
        change_password(services, ada, password=PASSWORD, new="a new long password")
    elif change == "reset":
        code = invite_user(services, ada, remove_second_factor=True).code
        accept_invitation(services, code=code, password=PASSWORD)
        _, codes = staff_members.second_factor(ada)
    elif change == "second factor":
        remove_second_factor(services, ada, password=PASSWORD, code=codes[0])
        clock.forward(seconds=30)
        _, codes = staff_members.second_factor(ada)
    elif change == "linked":
        with services.db.write() as db:
            db.get_one(User, ada).issuer, db.get_one(User, ada).subject = "https://id.example", "s"
    half = {"state": needed.value.state, "code": codes[1]}
    if change == "nothing":
        assert finish_login(services, needed.value.user_id, **half).user_id == ada
    else:
        with pytest.raises(NotAuthenticated):
            finish_login(services, needed.value.user_id, **half)


def test_who_has_a_second_factor_is_not_let_in_without_one(services, ada, staff_members):
    """Also where it was confirmed after the provider was asked: what opens the login looks."""
    staff_members.second_factor(ada)
    for method in ("oidc", "page", "token"):
        with pytest.raises(SecondFactorNeeded):
            open_login(services, ada, method)
    open_login(services, ada, "oidc+mfa")


def test_who_mistypes_a_password_locks_nobody_out_of_the_way_through_the_provider(services, ada, staff_members, clock):
    _, codes = staff_members.second_factor(ada)
    for _ in range(FREE_TRIES + 1):
        assert not tries(services, "wrong password")
    with services.db.read() as db:
        state = state_of(db.get_one(User, ada))

    def finishes(code, **how):
        try:
            finish_login(services, ada, state=state, code=code, **how)
        except NotAuthenticated:
            return False
        return True

    through = {"method": "oidc", "subject": ("https://id.example", "s")}
    assert not finishes(codes[0])  # after a password it is locked
    assert finishes(codes[0], **through)
    with services.db.read() as db:
        state = state_of(db.get_one(User, ada))
    assert not finishes(codes[1])  # and stays so
    for _ in range(FREE_TRIES):
        assert not finishes("000000", **through)
    assert not finishes(codes[1], **through)  # guessing behind the provider locks, too
    assert enable_user(services, ada)["locked_until"] is None
    assert finishes(codes[1], **through)
    for _ in range(FREE_TRIES):
        assert not finishes("000000", **through)
    assert get_user(services, ada)["locked_until"] is not None
    assert tries(services, PASSWORD, code=codes[2])


def disable_user_of_two(services, staff_members, user):
    """Disable an administrator, who is not the last."""
    staff_members.with_password(role="administrator")
    disable_user(services, user)


def test_who_has_no_password_here_sets_up_a_second_factor_without_it(services, staff_members, clock):
    user = staff_members.user("grace@example.org")
    started = start_second_factor(services, user)
    totp = pyotp.TOTP(started.secret)
    confirm_second_factor(services, user, code=totp.at(clock.now))
    clock.forward(seconds=30)
    with pytest.raises(FieldInvalid):
        remove_second_factor(services, user, code="000000")
    assert len(renew_recovery_codes(services, user, code=totp.at(clock.now))) == 10
    clock.forward(seconds=30)
    remove_second_factor(services, user, code=totp.at(clock.now))
    with pytest.raises(FieldInvalid, match="ask for an invitation"):
        change_password(services, user, password="", new="a new long password")


def test_who_has_a_password_cannot_leave_it_out(services, ada, staff_members, clock):
    with pytest.raises(FieldInvalid):
        start_second_factor(services, ada)
    totp, _ = staff_members.second_factor(ada)
    clock.forward(seconds=30)
    for call in (remove_second_factor, renew_recovery_codes):
        with pytest.raises(FieldInvalid):
            call(services, ada, code=totp.at(clock.now))
