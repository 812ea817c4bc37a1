"""Programs' tokens: how long they hold, on whom they depend, and what they may name."""

from datetime import timedelta
from uuid import UUID

import pytest

from konectom.errors import FieldInvalid, NotAuthenticated
from konectom.security.matrix import service_permissions
from konectom.workflows.access.grants import end_grant, list_grants
from konectom.workflows.access.service_tokens import issue_service_token, list_service_tokens
from konectom.workflows.access.tokens import authenticate
from konectom.workflows.access.users import disable_user, enable_user
from tests.people import with_settings

YEAR = timedelta(days=366)


def test_a_token_holds_for_a_year_at_most(services, clock):
    with pytest.raises(FieldInvalid) as refused:
        issue_service_token(services, name="x", permissions=["study.read"], lifetime=YEAR + timedelta(seconds=1))
    assert refused.value.at == "/days"
    issued = issue_service_token(services, name="x", permissions=["study.read"], lifetime=YEAR)
    assert issued.expires_at == clock() + YEAR
    lasting = with_settings(services, service_token_lifetime=timedelta(days=4000))
    assert issue_service_token(lasting, name="x", permissions=["study.read"]).expires_at == clock() + YEAR


def test_a_token_holds_while_its_maker_is_an_administrator_who_may_come_in(services, people, staff_members):
    study = people.study()
    staff_members.with_password("root", role="administrator")

    def made_by(user):
        return issue_service_token(services, name="x", permissions=["*"], study_id=study, created_by=user).token

    disabled = staff_members.member("administrator").user
    token = made_by(disabled)
    assert authenticate(services, token).kind == "service"
    disable_user(services, disabled)
    with pytest.raises(NotAuthenticated, match="no administrator any more"):
        authenticate(services, token)
    enable_user(services, disabled)
    assert authenticate(services, token).kind == "service"

    demoted = staff_members.member("administrator").user
    token = made_by(demoted)
    (grant,) = list_grants(services, demoted)["items"]
    staff_members.grant(demoted, "study_manager", study)
    end_grant(services, demoted, UUID(grant["id"]))
    with pytest.raises(NotAuthenticated):
        authenticate(services, token)

    never = staff_members.member("study_manager", study).user
    with pytest.raises(NotAuthenticated):
        authenticate(services, made_by(never))


def test_a_token_of_the_operators_depends_on_nobody(services):
    issued = issue_service_token(services, name="x", permissions=["*"])
    assert authenticate(services, issued.token).permissions == frozenset(service_permissions())
    (row,) = list_service_tokens(services)["items"]
    assert row["created_by"] is None


def test_a_token_of_one_study_names_nothing_that_is_of_none(services, people):
    study = people.study()
    issued = issue_service_token(services, name="x", permissions=["*"], study_id=study)
    whole = {"study.create", "metrics.read"}
    assert authenticate(services, issued.token).permissions == frozenset(service_permissions()) - whole
    with pytest.raises(FieldInvalid) as refused:
        issue_service_token(services, name="x", permissions=["study.read", "study.create"], study_id=study)
    assert refused.value.at == "/permissions/1"
