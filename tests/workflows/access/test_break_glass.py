"""Breaking the glass: one patient, for some hours, with a reason, and seen by those who watch the study."""

from uuid import uuid4

import pytest
from sqlalchemy import select

from konectom.errors import FieldInvalid, NotFound, NotPermitted
from konectom.security.acting import acting
from konectom.security.principal import EVERYTHING
from konectom.storage.models import AuditRow
from konectom.workflows.access.break_glass import break_glass, list_break_glass
from konectom.workflows.access.tokens import authenticate
from konectom.workflows.audit.trail import Which, list_audit
from konectom.workflows.patients.people import list_patients

REASON = "fell in the waiting room, unconscious"


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def ada(services, staff_members, study):
    """A clinician of the study without a care team."""
    return staff_members.member("clinician", study, login="ada")


def seen_by(services, caller):
    scope = authenticate(services, caller.token).reach("patient.read")
    return {row["id"] for row in list_patients(services, scope=scope)["items"]}


def test_one_patient_is_reached_for_four_hours(services, people, study, ada, clock):
    patient, other = people.patient(study, "P1"), people.patient(study, "P2")
    told = break_glass(services, authenticate(services, ada.token), study, code="P1", reason=REASON)
    assert told == {
        "patient": str(patient),
        "at": "2026-11-21T09:00:00+00:00",
        "expires_at": "2026-11-21T13:00:00+00:00",
    }
    assert seen_by(services, ada) == {str(patient)}
    assert str(other) not in seen_by(services, ada)
    for _ in range(24):
        clock.forward(minutes=10, microseconds=-1)
        assert seen_by(services, ada) == {str(patient)}
    clock.forward(microseconds=24)
    assert seen_by(services, ada) == set()


def test_it_opens_for_nobody_else_and_nothing_but_care(services, staff_members, people, study, ada):
    people.patient(study, "P1")
    grace = staff_members.member("clinician", study)
    break_glass(services, authenticate(services, ada.token), study, code="P1", reason=REASON)
    assert seen_by(services, grace) == set()
    assert authenticate(services, ada.token).reach("features.read") is None


@pytest.mark.parametrize("code", ["P9", "p1", "P1 ", "P", "", "%", "P\0", "x" * 1000])
def test_the_patient_must_be_known_by_the_code(services, people, study, ada, code):
    people.patient(study, "P1")
    with pytest.raises(NotFound, match=r"^there is no such patient$"):
        break_glass(services, authenticate(services, ada.token), study, code=code, reason=REASON)
    assert seen_by(services, ada) == set()


def test_what_lies_elsewhere_is_as_if_it_did_not_exist(services, staff_members, people, study, ada):
    site = staff_members.site(study)
    here = staff_members.member("clinician", study, site)
    other = people.study()
    people.patient(other, "P1")
    people.patient(study, "P2")
    for caller, where, code in ((ada, other, "P1"), (ada, study, "P1"), (ada, uuid4(), "P1"), (here, study, "P2")):
        with pytest.raises(NotFound, match=r"^there is no such patient$"):
            break_glass(services, authenticate(services, caller.token), where, code=code, reason=REASON)
    assert list_break_glass(services, study)["items"] == []


@pytest.mark.parametrize("reason", ["", "short", " " * 50, "a" + " " * 50 + "b", "x" * 501, "no\0 such thing here"])
def test_a_reason_is_told(services, people, study, ada, reason):
    people.patient(study, "P1")
    with pytest.raises(FieldInvalid) as refused:
        break_glass(services, authenticate(services, ada.token), study, code="P1", reason=reason)
    assert refused.value.at == "/reason"
    assert seen_by(services, ada) == set()


def test_the_reason_is_kept_by_the_audit_and_only_where_the_patients_key_seals_it(services, people, study, ada):
    patient = people.patient(study, "P1")
    with pytest.raises(NotFound):
        break_glass(services, authenticate(services, ada.token), study, code="P2", reason=REASON)
    break_glass(services, authenticate(services, ada.token), study, code="P1", reason=f"  {REASON}\n")
    with services.db.read() as db:
        of_emergency = select(AuditRow).where(AuditRow.entity == "break_glass").order_by(AuditRow.seq)
        refused, reached = db.scalars(of_emergency)
    assert (refused.change, refused.study_id, refused.patient_id, refused.why) == ("event", study, None, None)
    assert (reached.change, reached.patient_id) == ("insert", patient)
    assert REASON.encode() not in reached.why
    told = list_audit(services, EVERYTHING, Which(study=study), limit=500)["items"]
    assert [(row["entity"], row["why"]) for row in told if row["why"]] == [("break_glass", REASON)]
    assert acting().why is None


@pytest.mark.parametrize("role", ["study_manager", "researcher", "monitor", "administrator"])
def test_it_is_for_clinicians(services, staff_members, people, study, role):
    people.patient(study, "P1")
    caller = staff_members.member(role, None if role == "administrator" else study)
    with pytest.raises(NotPermitted):
        break_glass(services, authenticate(services, caller.token), study, code="P1", reason=REASON)


def test_those_who_watch_see_each_event_of_their_study_and_site(services, staff_members, people, study, ada, clock):
    first, second, elsewhere = people.patient(study, "P1"), people.patient(study, "P2"), people.study()
    people.patient(elsewhere, "P3")
    break_glass(services, authenticate(services, ada.token), study, code="P1", reason=REASON)
    clock.forward(minutes=1)
    break_glass(services, authenticate(services, ada.token), study, code="P2", reason=REASON)
    told = list_break_glass(services, study)["items"]
    assert [(row["login"], row["patient"], row["at"][:16]) for row in told] == [
        ("ada", str(first), "2026-11-21T09:00"),
        ("ada", str(second), "2026-11-21T09:01"),
    ]
    assert REASON not in str(told)
    assert list_break_glass(services, elsewhere)["items"] == []
    monitor = staff_members.member("monitor", study, staff_members.site(study))
    scope = authenticate(services, monitor.token).reach("audit.read")
    assert list_break_glass(services, study, scope=scope)["items"] == []
