"""What a patient agrees to: decisions are added, and the last one on a type of data holds."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from konectom.assessments import every_assessment
from konectom.errors import AlreadyExists, FieldInvalid, FieldMissing, KonectomError, NotFound
from konectom.storage.models import Consent
from konectom.workflows.consent.collecting import Agreed
from konectom.workflows.consent.data_types import BY_DOMAIN, data_type_of, data_types_of_key, every_data_type
from konectom.workflows.consent.decisions import patient_consents, record_consent, withdraw_consent
from konectom.workflows.consent.forms import create_consent_form, list_consent_forms, retire_consent_form
from konectom.workflows.consent.restrictions import restrict_patient, resume_patient

TYPES = ("clinical", "movement", "touch")


@pytest.fixture
def study(people):
    return people.study(consent="here")


@pytest.fixture
def patient(people, study):
    return people.patient(study)


@pytest.fixture
def form(services, study):
    return create_consent_form(services, study, version="1", title="Study", text="Agree?", data_types=TYPES)


def states(consents):
    return {each["data_type"]: each["state"] for each in consents["current"]}


def restricted(consents):
    return {each["data_type"] for each in consents["current"] if each["restricted_at"] is not None}


def refused(services, patient, data_type):
    """The code with which data of a type is refused, None where it may be collected."""
    with services.db.read() as db:
        try:
            Agreed.of(db, patient).require_type(data_type)
        except KonectomError as error:
            return error.code


def test_every_assessment_has_one_type_of_data():
    assert {name: data_type_of(name) for name in every_assessment()} == {
        name: BY_DOMAIN[declared.domain] for name, declared in every_assessment().items()
    }
    assert every_data_type() == (
        *("activity", "clinical", "location", "movement", "questionnaires", "touch", "voice"),
        "other",
    )


@pytest.mark.parametrize(
    ("key", "types"),
    [
        ("walk", {"movement"}),
        ("walk.cadence[6mwt].mean", {"movement"}),
        ("walk.distance[6mwt]", {"movement", "location"}),
        ("walk.path_length[6mwt]", {"movement", "location"}),
        ("walk.distance_by_steps[6mwt]", {"movement"}),
        ("obs.edss.step", {"clinical"}),
        ("obs", {"clinical"}),
        ("tap.valid_taps[left]", {"touch"}),
        ("gone.score", {"other"}),
        ("", {"other"}),
    ],
)
def test_a_key_tells_the_types_of_its_data(key, types):
    assert data_types_of_key(key) == types


def test_a_domain_that_is_of_no_type_is_one_of_its_own(probe):
    assert data_type_of("probe") == "none"
    assert "none" in every_data_type()


def test_a_form_is_made_listed_and_retired(services, study, form, clock):
    assert form["data_types"] == list(TYPES)
    with pytest.raises(AlreadyExists):
        create_consent_form(services, study, version="1", title="Other", text="Agree?", data_types=["touch"])
    later = create_consent_form(services, study, version="2", title="Study", text="Agree?", data_types=["touch"] * 2)
    assert later["data_types"] == ["touch"]
    assert list_consent_forms(services, study)["items"] == [form, later]
    clock.forward(days=1)
    gone = retire_consent_form(services, study, UUID(form["id"]))
    assert gone == form | {"retired_at": "2026-11-22T09:00:00+00:00"}
    clock.forward(days=1)
    assert retire_consent_form(services, study, UUID(form["id"])) == gone
    assert list_consent_forms(services, study)["items"] == [later]
    assert list_consent_forms(services, study, retired=True)["items"] == [gone, later]


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"version": "a b"}, "/version"),
        ({"title": " "}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"text": ""}, "/text"),
        ({"text": "a\0"}, "/text"),
        ({"data_types": []}, "/data_types"),
        ({"data_types": ["touch", "thoughts"]}, "/data_types/1"),
    ],
)
def test_a_form_that_is_none_is_refused(services, study, wrong, at):
    facts = {"version": "1", "title": "Study", "text": "Agree?", "data_types": ["touch"]} | wrong
    with pytest.raises((FieldInvalid, FieldMissing)) as error:
        create_consent_form(services, study, **facts)
    assert error.value.at == at


def test_a_form_of_another_study_is_not_found(services, people, form):
    with pytest.raises(NotFound):
        retire_consent_form(services, people.study(), UUID(form["id"]))
    other = people.patient(people.study(consent="here"))
    with pytest.raises(FieldInvalid) as error:
        record_consent(services, other, state="given", form="1")
    assert error.value.at == "/form"


def test_consent_is_given_refused_and_withdrawn(services, patient, form, clock):
    assert refused(services, patient, "touch") == "consent_missing"
    given = record_consent(services, patient, state="given", form="1")
    assert given.created
    assert states(given.consents) == dict.fromkeys(TYPES, "given")
    assert refused(services, patient, "touch") is None
    clock.forward(hours=1)
    record_consent(services, patient, state="refused", data_types=["movement"])
    clock.forward(hours=1)
    now = withdraw_consent(services, patient, data_types=["touch"])
    assert states(now) == {"clinical": "given", "movement": "refused", "touch": "withdrawn"}
    assert [refused(services, patient, each) for each in TYPES] == [None, "consent_missing", "consent_withdrawn"]
    touch = [each for each in now["history"] if each["data_type"] == "touch"]
    assert [(each["state"], each["form"]) for each in touch] == [("given", "1"), ("withdrawn", None)]
    assert touch[0]["ended_at"] == touch[1]["entered_at"]
    assert now == patient_consents(services, patient)
    assert now["forms"] == [form]


def test_the_same_decision_once_more_changes_nothing(services, patient, form, clock):
    clock.forward(hours=2)
    at = clock.now - timedelta(hours=1)
    for told in ({}, {"decided_at": at}):
        first = record_consent(services, patient, state="given", form="1", **told)
        clock.forward(minutes=5)
        again = record_consent(services, patient, state="given", form="1", **told)
        assert not again.created
        assert again.consents == first.consents
    withdrawn = withdraw_consent(services, patient)
    assert not record_consent(services, patient, state="given", form="1", decided_at=at).created
    assert withdraw_consent(services, patient) == withdrawn == patient_consents(services, patient)


def test_withdrawing_all_holds_for_types_that_nobody_knows_yet(services, people, monkeypatch, probe):
    patient = people.patient()  # of a study that keeps consent elsewhere
    assert refused(services, patient, "none") is None
    monkeypatch.delitem(every_assessment(), "probe")
    now = withdraw_consent(services, patient)
    assert set(states(now)) == set(every_data_type())
    probe()
    assert refused(services, patient, "none") == "consent_withdrawn"


def test_consent_that_was_given_before_does_not_undo_a_withdrawal(services, patient, form, clock):
    clock.forward(hours=2)
    withdraw_consent(services, patient, data_types=["touch"])
    late = record_consent(services, patient, state="given", form="1", decided_at=clock.now - timedelta(hours=1))
    assert late.created
    assert states(late.consents) == {"clinical": "given", "movement": "given", "touch": "withdrawn"}
    assert [each["state"] for each in late.consents["history"] if each["data_type"] == "touch"] == [
        "withdrawn",
        "given",
    ]
    again = record_consent(services, patient, state="given", form="1", data_types=["touch"])
    assert states(again.consents)["touch"] == "given"


def test_a_withdrawal_counts_however_late_it_is_heard_of(services, patient, form, clock):
    record_consent(services, patient, state="given", form="1")
    late = withdraw_consent(services, patient, data_types=["touch"], decided_at=clock.now - timedelta(days=2))
    assert states(late)["touch"] == "withdrawn"


@pytest.mark.parametrize(
    ("decision", "at"),
    [
        ({"state": "given"}, "/form"),
        ({"state": "given", "form": "9"}, "/form"),
        ({"state": "given", "form": "a\0"}, "/form"),
        ({"state": "given", "form": "old"}, "/form"),
        ({"state": "given", "form": "1", "data_types": ["touch", "voice"]}, "/data_types/1"),
        ({"state": "given", "form": "1", "data_types": []}, "/data_types"),
        ({"state": "refused"}, "/data_types"),
        ({"state": "refused", "data_types": ["thoughts"]}, "/data_types/0"),
        ({"state": "restricted", "data_types": ["touch"]}, "/state"),
        ({"state": "refused", "data_types": ["touch"], "decided_at": datetime(2026, 1, 1)}, "/decided_at"),  # noqa: DTZ001
    ],
)
def test_a_decision_that_is_none_is_refused(services, study, patient, form, decision, at):
    old = create_consent_form(services, study, version="old", title="Study", text="Agree?", data_types=["touch"])
    retire_consent_form(services, study, UUID(old["id"]))
    with pytest.raises((FieldInvalid, FieldMissing)) as error:
        record_consent(services, patient, **decision)
    assert error.value.at == at
    assert patient_consents(services, patient)["history"] == []


def test_a_decision_of_the_future_is_refused(services, patient, form, clock):
    ahead = {"state": "given", "form": "1"}
    record_consent(services, patient, **ahead, decided_at=clock.now + timedelta(minutes=1))
    with pytest.raises(FieldInvalid) as error:
        record_consent(services, patient, **ahead, decided_at=clock.now + timedelta(minutes=6))
    assert error.value.at == "/decided_at"


def test_what_was_signed_while_a_form_was_in_use_may_be_entered_later(services, study, patient, form, clock):
    signed = clock.now
    clock.forward(days=1)
    retire_consent_form(services, study, UUID(form["id"]))
    made = record_consent(services, patient, state="given", form="1", decided_at=signed).consents
    assert states(made)["touch"] == "given"
    assert made["forms"] == []
    assert {each["form"] for each in made["history"]} == {"1"}


def test_a_study_that_keeps_consent_elsewhere_asks_for_no_form(services, people):
    patient = people.patient()
    assert states(record_consent(services, patient, state="given", data_types=["touch"]).consents) == {"touch": "given"}
    assert refused(services, patient, "voice") is None
    record_consent(services, patient, state="refused", data_types=["touch"])
    assert refused(services, patient, "touch") == "consent_missing"


def test_a_restriction_stands_beside_the_decision(services, patient, form, clock):
    record_consent(services, patient, state="given", form="1")
    now = restrict_patient(services, patient, data_types=["touch"], reason="The data are contested.")
    assert restrict_patient(services, patient, data_types=["touch"], reason="Again.") == now
    assert restricted(now) == {"touch"}
    assert states(now)["touch"] == "given"
    assert refused(services, patient, "touch") == "patient_restricted"
    assert refused(services, patient, "movement") is None
    withdraw_consent(services, patient, data_types=["touch"])
    assert refused(services, patient, "touch") == "patient_restricted"
    clock.forward(days=1)
    now = resume_patient(services, patient, data_types=["touch"])
    assert restricted(now) == set()
    assert states(now)["touch"] == "withdrawn"
    assert refused(services, patient, "touch") == "consent_withdrawn"
    assert [each["state"] for each in now["history"] if each["data_type"] == "touch"] == [
        "given",
        "restricted",
        "withdrawn",
    ]


def test_all_of_a_patient_is_restricted_and_resumed(services, patient, form):
    record_consent(services, patient, state="given", form="1")
    restrict_patient(services, patient, data_types=["touch"], reason="Contested.")
    now = restrict_patient(services, patient, reason="Contested.")
    assert now["restricted_at"] == "2026-11-21T09:00:00+00:00"
    assert refused(services, patient, "movement") == "patient_restricted"
    still = resume_patient(services, patient, data_types=["touch"], reason="Settled.")
    assert (still["restricted_at"], restricted(still)) == (now["restricted_at"], set())
    restrict_patient(services, patient, data_types=["touch"], reason="Contested.")
    free = resume_patient(services, patient)
    assert (free["restricted_at"], restricted(free)) == (None, set())
    assert refused(services, patient, "touch") is None


def test_a_restriction_needs_a_reason(services, patient):
    for reason, error in ((" ", FieldMissing), ("x" * 201, FieldInvalid)):
        with pytest.raises(error) as told:
            restrict_patient(services, patient, reason=reason)
        assert told.value.at == "/reason"


def test_nobody_decides_for_a_patient_whom_there_is_not(services):
    for ask in (
        lambda: record_consent(services, uuid4(), state="refused", data_types=["touch"]),
        lambda: withdraw_consent(services, uuid4()),
        lambda: restrict_patient(services, uuid4(), reason="why"),
        lambda: resume_patient(services, uuid4()),
        lambda: patient_consents(services, uuid4()),
    ):
        with pytest.raises(NotFound):
            ask()


MOVES = st.lists(
    st.tuples(
        st.sampled_from(
            ("given", "refused", "withdrawn", "withdraw", "restrict", "resume", "restrict all", "resume all")
        ),
        st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True),
        st.integers(0, 3),
    ),
    max_size=25,
)


@given(MOVES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_holds_is_the_last_decision_and_nothing_is_forgotten(services, people, clock, moves):
    study = people.study(consent="here")
    patient = people.patient(study)
    create_consent_form(services, study, version="1", title="Study", text="Agree?", data_types=TYPES)
    decided, closed, everything, rows = {}, set(), False, []
    for move, types, minutes in moves:
        clock.forward(minutes=minutes)
        if move in ("given", "refused", "withdrawn"):
            form = "1" if move == "given" else None
            record_consent(services, patient, state=move, data_types=types, form=form)
            rows += [(name, move) for name in sorted(types) if decided.get(name) != move]
            decided |= dict.fromkeys(types, move)
        elif move == "withdraw":
            withdraw_consent(services, patient, data_types=types)
            new = [name for name in sorted(types) if decided.get(name) not in ("refused", "withdrawn")]
            rows += [(name, "withdrawn") for name in new]
            decided |= dict.fromkeys(new, "withdrawn")
        elif move == "restrict":
            restrict_patient(services, patient, data_types=types, reason="why")
            rows += [(name, "restricted") for name in sorted(set(types) - closed)]
            closed |= set(types)
        elif move == "resume":
            resume_patient(services, patient, data_types=types)
            closed -= set(types)
        elif move == "restrict all":
            restrict_patient(services, patient, reason="why")
            everything = True
        else:
            resume_patient(services, patient)
            closed, everything = set(), False
        now = patient_consents(services, patient)
        assert {name: state for name, state in states(now).items() if state} == decided
        assert restricted(now) == closed
        assert [(each["data_type"], each["state"]) for each in now["history"]] == rows
        for name in TYPES:
            allowed = decided.get(name) == "given" and name not in closed and not everything
            assert (refused(services, patient, name) is None) is allowed
    with services.db.read() as db:
        assert db.query(Consent).filter(Consent.patient_id == patient).count() == len(rows)


def test_nobody_agreed_to_a_form_that_was_not_there_yet(services, patient, form, clock):
    def give(before):
        decided_at = clock.now - before
        return record_consent(services, patient, state="given", form="1", data_types=["touch"], decided_at=decided_at)

    with pytest.raises(FieldInvalid, match="was not there yet") as error:
        give(timedelta(minutes=6))
    assert error.value.at == "/decided_at"
    assert refused(services, patient, "touch") == "consent_missing"
    give(timedelta(minutes=4))
    assert refused(services, patient, "touch") is None
