"""Observations: what is kept of them, what is the same, what contradicts, and what is retracted."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from konectom.errors import DataError, FieldInvalid, NotFound, ObservationConflict, ScaleUnknown
from konectom.storage.models import MeasureRow, Observation, ObservedRow
from konectom.workflows.observations import entering as observations
from konectom.workflows.observations import keeping as keep_observations
from konectom.workflows.observations.entering import (
    enter_observation,
    get_observation,
    list_observations,
    retract_observation,
)
from konectom.workflows.services import Services

AT = datetime(2026, 3, 2, 10, 15, tzinfo=timezone(timedelta(hours=1)))
SECONDS = {"trial_1": {"value": 5.1, "unit": "s"}, "trial_2": {"value": 4.9, "unit": "s"}}


def count(services, model):
    with services.db.read() as db:
        return db.scalar(select(func.count()).select_from(model))


def observed(services, patient):
    """Keys and values of the narrow rows."""
    with services.db.read() as db:
        rows = db.execute(
            select(MeasureRow.key, ObservedRow.value)
            .join(MeasureRow, MeasureRow.id == ObservedRow.measure_id)
            .where(ObservedRow.patient_id == patient)
            .order_by(MeasureRow.key, ObservedRow.at)
        )
        return [tuple(row) for row in rows]


@pytest.fixture
def enter(services, patient):
    def enter(code="edss", values=None, at=AT, **more):
        values = {"step": 3.5} if values is None else values
        return enter_observation(services, patient, code=code, at=at, values=values, **more)

    return enter


def test_an_observation_is_kept_as_it_was_told_with_what_follows(enter, services, patient, clock):
    entered = enter("t25fw", SECONDS, source="clinic", reference="V7-1", note="with a cane")
    shown = entered.observation
    assert entered.created
    assert shown | {"id": "", "scores": []} == {
        "id": "",
        "patient": str(patient),
        "code": "t25fw",
        "at": "2026-03-02T10:15:00+01:00",
        "values": SECONDS,
        "scores": [],
        "version": 1,
        "absent": {},
        "flags": [],
        "source": "clinic",
        "reference": "V7-1",
        "note": "with a cane",
        "entered_at": clock.now.isoformat(),
        "retracted_at": None,
        "retracted_for": None,
    }
    assert shown["scores"] == [
        {"key": "obs.t25fw.time", "value": pytest.approx(5.0), "unit": "s", "band": None},
        {"key": "obs.t25fw.speed", "value": pytest.approx(7.62 / 5.0), "unit": "m/s", "band": None},
    ]
    assert get_observation(services, patient, UUID(shown["id"])) == shown
    assert observed(services, patient) == [("obs.t25fw.time", pytest.approx(5.0))]


def test_bands_are_told_as_the_scale_has_them(enter):
    shown = enter("phq9", {"total": 16}).observation
    assert [(each["key"], each["band"]) for each in shown["scores"]] == [("obs.phq9.total", "moderately severe")]


def test_only_what_was_checked_is_kept(enter):
    shown = enter(
        "t25fw",
        {
            "trial_1": {"value": 5, "unit": "s", "more": ["x" * 1000]},
            "unable": " No ",
            "aid": " Cane ",
            "trial_2": None,
        },
    ).observation
    assert shown["values"] == {"trial_1": {"value": 5, "unit": "s"}, "unable": False, "aid": "cane"}
    assert enter("edss", {"step": {"value": 3.5, "unit": "{step}"}}).observation["values"] == {"step": 3.5}


@pytest.mark.parametrize(
    ("code", "one", "other"),
    [
        ("edss", {"step": 3}, {"step": 3.0}),
        ("edss", {"step": 3}, {"step": {"value": 3, "unit": "1"}, "visual": None}),
        ("t25fw", {"trial_1": {"value": 4.9, "unit": "s"}}, {"trial_1": {"value": 4900, "unit": "ms"}}),
        ("t25fw", {"unable": True}, {"unable": "yes"}),
        ("relapse", {"onset": "2026-02-01"}, {"onset": " 2026-02-01 "}),
    ],
)
def test_the_same_told_otherwise_is_the_same(enter, services, code, one, other):
    first = enter(code, one)
    again = enter(code, other, at=AT.astimezone(UTC), reference="another name", note="and a note")
    assert (first.created, again.created) == (True, False)
    assert again.observation == first.observation
    assert count(services, Observation) == 1


def test_another_value_of_the_same_time_and_source_contradicts(enter, services):
    first = enter()
    with pytest.raises(ObservationConflict) as refused:
        enter(values={"step": 4})
    assert refused.value.context["observation"] == first.observation["id"]
    assert count(services, Observation) == count(services, ObservedRow) == 1
    assert enter(values={"step": 4}, source="second rater").created
    assert enter(values={"step": 4}, at=AT + timedelta(minutes=1)).created


def test_several_events_may_be_told_at_once(enter):
    assert enter("relapse", {"onset": "2026-02-01"}).created
    assert enter("relapse", {"onset": "2025-02-01"}).created
    assert not enter("relapse", {"onset": "2025-02-01"}).created


def test_what_was_retracted_stays_to_be_seen_and_no_longer_counts(enter, services, patient, clock):
    number = UUID(enter().observation["id"])
    clock.forward(hours=1)
    taken = retract_observation(services, patient, number, reason="another patient's")
    assert (taken["retracted_at"], taken["retracted_for"]) == (clock.now.isoformat(), "another patient's")
    clock.forward(hours=1)
    assert retract_observation(services, patient, number, reason="again") == taken
    assert get_observation(services, patient, number) == taken
    assert list_observations(services, patient)["items"] == []
    assert list_observations(services, patient, retracted=True)["items"] == [taken]
    assert observed(services, patient) == []


def test_after_a_retraction_another_value_and_even_the_same_can_be_entered(enter, services, patient):
    first = enter().observation
    retract_observation(services, patient, UUID(first["id"]), reason="wrong")
    second = enter(values={"step": 4})
    assert second.created
    retract_observation(services, patient, UUID(second.observation["id"]), reason="was right at first")
    third = enter()
    assert third.created
    assert third.observation["id"] != first["id"]
    assert observed(services, patient) == [("obs.edss.step", 3.5)]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "a\0b"])
def test_a_retraction_says_why(enter, services, patient, reason):
    number = UUID(enter().observation["id"])
    with pytest.raises(FieldInvalid) as refused:
        retract_observation(services, patient, number, reason=reason)
    assert refused.value.at == "/reason"


def test_anothers_observation_is_not_found(enter, services, people):
    number = UUID(enter().observation["id"])
    for who, which in ((people.patient(), number), (uuid4(), number)):
        with pytest.raises(NotFound):
            get_observation(services, who, which)
        with pytest.raises(NotFound):
            retract_observation(services, who, which, reason="x")
    with pytest.raises(NotFound):
        enter_observation(services, uuid4(), code="edss", at=AT, values={"step": 1})
    with pytest.raises(NotFound):
        list_observations(services, uuid4())


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"code": "edsss"}, "/code"),
        ({"code": "\0"}, "/code"),
        ({"values": {}}, "/values"),
        ({"values": {"step": None}}, "/values"),
        ({"values": {"stop": 3}}, "/values/stop"),
        ({"values": {"a/b~": 3}}, "/values/a~1b~0"),
        ({"values": {"step": 3.25}}, "/values/step"),
        ({"values": {"step": 11}}, "/values/step"),
        ({"values": {"step": "3.5"}}, "/values/step"),
        ({"values": {"step": True}}, "/values/step"),
        ({"values": {"step": [[[[3]]]]}}, "/values/step"),
        ({"values": {"step": float("inf")}}, "/values/step"),
        ({"values": {"step": float("nan")}}, "/values/step"),
        ({"values": {"step": 10**400}}, "/values/step"),
        ({"values": {"step": {"value": 3, "unit": "cm"}}}, "/values/step"),
        ({"code": "t25fw", "values": {"trial_1": 5.1}}, "/values/trial_1"),
        ({"code": "t25fw", "values": {"trial_1": {"value": 5.1, "unit": "min "}}}, "/values/trial_1"),
        ({"code": "t25fw", "values": {"trial_1": {"value": 5100, "unit": "s"}}}, "/values/trial_1"),
        ({"code": "treatment", "values": {"name": "a\0b", "start": "2026-01-01"}}, "/values/name"),
        ({"code": "treatment", "values": {"name": "a", "start": "2026-02-30"}}, "/values/start"),
        ({"code": "relapse", "values": {"onset": "2026-03-03"}}, "/values/onset"),
        ({"at": datetime(2026, 11, 22, 9, 1, tzinfo=UTC)}, "/at"),
        ({"at": datetime(1899, 12, 31, tzinfo=UTC)}, "/at"),
        ({"at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, "/at"),
        ({"at": datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=14)))}, "/at"),
        ({"source": "x" * 201}, "/source"),
        ({"source": "a\0b"}, "/source"),
        ({"reference": "a\0b"}, "/reference"),
        ({"note": "x" * 2001}, "/note"),
        ({"note": "a\0b"}, "/note"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(enter, services, change, at):
    with pytest.raises(DataError) as refused:
        enter(**change)
    assert refused.value.at == at
    assert count(services, Observation) == 0


def test_a_clock_may_be_ahead_by_a_day(enter, clock):
    assert enter(at=clock.now + timedelta(days=1)).created


def test_the_day_is_that_of_the_place(enter):
    """Of the last hour of a day in New York the day in UTC is the next; of the first in Tokyo the one before."""
    for hours, hour in ((-5, 23), (9, 0)):
        at = datetime(2026, 3, 2, hour, 30, tzinfo=timezone(timedelta(hours=hours)))
        assert enter("relapse", {"onset": "2026-03-02"}, at=at).created
        with pytest.raises(FieldInvalid) as refused:
            enter("relapse", {"onset": "2026-03-03"}, at=at)
        assert refused.value.at == "/values/onset"


def test_lists_are_oldest_first_by_code_and_by_page(enter, services, patient, people):
    for days in (2, 0, 1):
        enter(values={"step": days}, at=AT + timedelta(days=days))
    enter("sdmt", {"correct": 50})
    listed = list_observations(services, patient, code="edss")["items"]
    assert [each["values"]["step"] for each in listed] == [0, 1, 2]
    first = list_observations(services, patient, limit=3)
    second = list_observations(services, patient, limit=3, cursor=first["next"])
    assert (len(first["items"]), len(second["items"]), second["next"]) == (3, 1, None)
    assert {each["code"] for each in first["items"] + second["items"]} == {"edss", "sdmt"}
    assert list_observations(services, people.patient())["items"] == []
    with pytest.raises(ScaleUnknown) as refused:
        list_observations(services, patient, code="x")
    assert refused.value.at == "/query/code"


def test_scores_of_rules_that_have_changed_since_are_told_without_unit(enter, services, patient, monkeypatch):
    number = UUID(enter().observation["id"])
    monkeypatch.setattr(observations, "every_scale", dict)
    (score,) = get_observation(services, patient, number)["scores"]
    assert score == {"key": "obs.edss.step", "value": 3.5, "unit": None, "band": None}


THREADS = 16


def meet(monkeypatch):
    """Let nobody write before all have checked what they bring."""
    barrier, keep, met = threading.Barrier(THREADS), observations._enter, threading.Event()

    def wait(*told):
        if not met.is_set():
            barrier.wait(60)
            met.set()
        return keep(*told)

    monkeypatch.setattr(observations, "_enter", wait)


def at_once(work):
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(THREADS)))


def test_many_who_enter_the_same_at_once_enter_one(enter, services, monkeypatch):
    meet(monkeypatch)
    entered = at_once(lambda _: enter())
    assert sum(each.created for each in entered) == 1
    assert all(each.observation == entered[0].observation for each in entered)
    assert count(services, Observation) == count(services, ObservedRow) == 1


def test_of_many_who_contradict_one_another_one_is_kept(enter, services, monkeypatch):
    meet(monkeypatch)

    def send(number):
        try:
            return enter("sdmt", {"correct": number})
        except ObservationConflict as conflict:
            return conflict

    entered = at_once(send)
    (kept,) = [each for each in entered if not isinstance(each, ObservationConflict)]
    lost = [each for each in entered if isinstance(each, ObservationConflict)]
    assert {each.context["observation"] for each in lost} == {kept.observation["id"]}
    assert count(services, Observation) == 1


def test_many_patients_first_values_share_the_new_measure(services, people, monkeypatch):
    patients = [people.patient() for _ in range(THREADS)]
    meet(monkeypatch)
    entered = at_once(
        lambda number: enter_observation(services, patients[number], code="edss", at=AT, values={"step": 2})
    )
    assert all(each.created for each in entered)
    assert (count(services, Observation), count(services, MeasureRow)) == (THREADS, 1)


def test_a_write_that_another_made_impossible_is_tried_again(enter, services, monkeypatch):
    """Other databases let two number the same measure at once; one of them is told by its commit."""
    tries = []
    keep = observations.keep_findings

    def fail_at_first(*told, **how):
        tries.append(1)
        if len(tries) < 3:
            raise IntegrityError("INSERT", {}, Exception("unique"))
        return keep(*told, **how)

    monkeypatch.setattr(observations, "keep_findings", fail_at_first)
    assert enter().created
    assert (len(tries), count(services, Observation)) == (3, 1)


def test_what_is_never_kept_is_told_in_the_end(enter, monkeypatch):
    tries = []

    def fail(*_, **__):
        tries.append(1)
        raise IntegrityError("INSERT", {}, Exception("something else is wrong"))

    monkeypatch.setattr(observations, "keep_findings", fail)
    with pytest.raises(IntegrityError):
        enter()
    assert len(tries) == keep_observations.ATTEMPTS


def test_entering_and_retracting_at_once_leaves_no_value_without_its_observation(enter, services, patient):
    def send(number):
        at = AT + timedelta(minutes=number // 4)
        shown = enter(at=at).observation
        if number % 4 == 3:
            retract_observation(services, patient, UUID(shown["id"]), reason="wrong")

    at_once(send)
    valid = list_observations(services, patient, limit=500)["items"]
    assert observed(services, patient) == [("obs.edss.step", 3.5)] * len(valid)
    everything = list_observations(services, patient, retracted=True, limit=500)["items"]
    assert len([each for each in everything if each["retracted_at"]]) == THREADS // 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    code=st.sampled_from(["edss", "t25fw", "relapse", "treatment", "phq9", "svc"]) | st.text(max_size=10),
    name=st.sampled_from(["step", "trial_1", "onset", "name", "start", "item_1", "volume"]) | st.text(max_size=10),
    value=JSON | st.fixed_dictionaries({"value": JSON, "unit": st.sampled_from(["s", "L", "{x}"]) | JSON}),
)
def test_no_values_are_kept_that_cannot_be_found_again_or_make_it_fail(services, patient, code, name, value):
    try:
        entered = enter_observation(services, patient, code=code, at=AT, values={name: value}, source=str(uuid4()))
    except DataError:
        return
    shown = entered.observation
    assert shown == get_observation(services, patient, UUID(shown["id"]))
    again = enter_observation(services, patient, code=code, at=AT, values=shown["values"], source=shown["source"])
    assert again.observation["id"] == shown["id"]


def test_another_process_sees_what_was_entered(enter, services, patient, settings):
    shown = enter().observation
    other = Services.open(settings)
    assert list_observations(other, patient)["items"] == [shown]
    other.close()
