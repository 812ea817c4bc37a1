"""What is restricted is shown to nobody, whatever the way, and nothing is computed from it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import orjson
import pytest

from konectom.assessments import every_assessment
from konectom.errors import FieldInvalid, PatientRestricted
from konectom.recording import Part
from konectom.storage.models import Alert, Patient
from konectom.workflows.consent.data_types import data_types_of_key
from konectom.workflows.consent.restrictions import restrict_patient, resume_patient
from konectom.workflows.following import alerts, due, reliability, reviews, summary, trends
from konectom.workflows.observations import entering as observations
from konectom.workflows.patients import schedules
from konectom.workflows.patients.people import get_patient, list_patients
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import get_session, list_sessions
from konectom.workflows.tables import export
from tests.assessments.examples import example, parse
from tests.probe import probe_of, probe_recording, session_body

HIDDEN, SHOWN = 43.2109875, 41.0987625
TOUCH = "probe.level[left].mean"
MOVEMENT = "sway.level[left].mean"


@pytest.fixture(autouse=True)
def tests_of_two_types(monkeypatch, probe):
    """``probe`` is of the type ``touch``, ``sway`` of ``movement``."""
    monkeypatch.setitem(every_assessment(), "probe", replace(probe_of(1), domain="upper limb"))
    monkeypatch.setitem(every_assessment(), "sway", replace(probe_of(1), name="sway", domain="balance"))


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def patient(people, study):
    return people.patient(study, "P-1", sex="female", birth_year=1980)


@pytest.fixture
def session_id(services, patient):
    """A session with a test of each type; the touch test says ``HIDDEN``."""
    touch = probe_recording(x=[HIDDEN] * 4)
    sway = probe_recording(x=[SHOWN] * 4) | {"assessment": "sway"}
    session_id = uuid4()
    ingest_session(services, session_id=session_id, patient_id=patient, body=session_body(touch, sway))
    return session_id


@pytest.fixture
def restrict(services, patient):
    def restrict(*types, patient_id=patient):
        restrict_patient(services, patient_id, reason="contested", data_types=types or None)

    return restrict


def alert_of(services, study, patient, key, kind="item_alarm"):
    """Add an alert that says the value."""
    now, number = services.clock(), uuid4()
    with services.db.write() as db:
        db.add(
            Alert(
                id=number,
                study_id=study,
                patient_id=patient,
                kind=kind,
                key=key,
                at=now,
                told={"message": f"{HIDDEN}", "evidence": {}},
                found_at=now,
            )
        )
    return number


def keys(answer, under):
    return {each["key"] for each in answer[under]}


def table(services, study, assessment=None, **how):
    return b"".join(export.feature_table(services, study, assessment, **how)).decode()


def test_a_receipt_tells_that_something_is_withheld(services, session_id, restrict):
    before = get_session(services, session_id, measures=True)
    restrict("touch")
    after = get_session(services, session_id, measures=True)
    assert after["recordings"][0] == {
        "index": 0,
        "assessment": "probe",
        "status": "processed",
        "withheld": ["touch"],
    }
    assert after["recordings"][1] == before["recordings"][1] | {"withheld": ["touch"]}
    assert str(HIDDEN) not in str(after)
    assert str(HIDDEN) in str(before)


def test_trends_and_summary_leave_out_what_is_withheld(services, patient, session_id, restrict):
    assert {TOUCH, MOVEMENT} <= keys(trends.patient_trends(services, patient), "trends")
    restrict("touch")
    told = trends.patient_trends(services, patient)
    assert told["withheld"] == ["touch"]
    assert {key.split(".")[0] for key in keys(told, "trends")} == {"sway"}
    assert trends.patient_trends(services, patient, measure=TOUCH)["trends"] == []
    line = summary.patient_summary(services, patient)
    assert line["withheld"] == ["touch"]
    assert {key.split(".")[0] for key in keys(line, "scores")} == {"sway"}


def test_what_was_done_is_withheld_as_well(services, study, patient, session_id, restrict):
    for name in ("probe", "sway"):
        schedules.create_schedule(services, study, assessment=name, start="2026-11-02")
    restrict("touch")
    for answer in (schedules.patient_adherence(services, patient), summary.patient_summary(services, patient)):
        assert [each["assessment"] for each in answer["schedules"]] == ["sway"]
        assert answer["withheld"] == ["touch"]


def test_clinical_data_are_withheld(services, patient, clock, restrict):
    entered = observations.enter_observation(
        services, patient, code="edss", at=clock.now - timedelta(days=3), values={"step": 3.5}
    ).observation
    number = UUID(entered["id"])
    restrict("touch")
    assert observations.list_observations(services, patient)["items"] == [entered]
    restrict("clinical")
    told = observations.list_observations(services, patient)
    assert (told["items"], told["withheld"]) == ([], ["clinical", "touch"])
    for ask in (
        lambda: observations.get_observation(services, patient, number),
        lambda: observations.retract_observation(services, patient, number, reason="wrong"),
    ):
        with pytest.raises(PatientRestricted) as error:
            ask()
        assert error.value.context == {"data_types": ["clinical"]}
    assert trends.patient_trends(services, patient)["trends"] == []
    resume_patient(services, patient, data_types=["clinical"])
    assert observations.get_observation(services, patient, number) == entered


def test_nothing_follows_from_clinical_data_that_are_withheld(services, patient, clock, restrict):
    def enter(day, code, values):
        at = datetime(2025, 1, 1, 9, tzinfo=UTC) + timedelta(days=day)
        observations.enter_observation(services, patient, code=code, at=at, values=values)

    for day, step in ((0, 3.0), (100, 4.0), (400, 4.5), (600, 4.5)):
        enter(day, "edss", {"step": step})
    assert keys(trends.patient_trends(services, patient), "trends") == {"obs.edss.step"}
    assert [each.kind for each in reviews_find(services, patient)] == ["confirmed_worsening"]
    restrict("clinical")
    assert trends.patient_trends(services, patient)["trends"] == []
    assert reviews_find(services, patient) == []


def reviews_find(services, patient):
    with services.db.read() as db:
        return list(reviews.find_all(db, db.get_one(Patient, patient), services.clock()).findings)


def test_tables_leave_out_what_is_withheld(services, people, study, patient, session_id, restrict):
    other = people.patient(study, "P-2")
    ingest_session(services, session_id=uuid4(), patient_id=other, body=session_body(probe_recording()))
    assert str(HIDDEN) in table(services, study)
    assert str(HIDDEN) in table(services, study, "probe")
    restrict("touch")
    for asked in ({}, {"assessment": "probe"}, {"assessment": "probe", "version": 1}):
        told = table(services, study, **asked)
        assert str(HIDDEN) not in told
        assert "P-2" in told
    assert "P-1" not in table(services, study, "probe")
    assert str(SHOWN) in table(services, study, "sway")
    restrict()
    assert "P-1" not in table(services, study) + table(services, study, "sway")


def test_reliability_is_computed_without_what_is_withheld(services, study, patient, session_id, restrict):
    def values(*wanted):
        with services.db.read() as db:
            rows = reliability.stored_values(db, Patient.study_id == study, wanted)
        return {(row.key, row.value) for row in rows}

    both = {(TOUCH, HIDDEN), (MOVEMENT, SHOWN)}
    assert values(TOUCH, MOVEMENT) == both
    restrict("touch")
    assert values(TOUCH, MOVEMENT) == {(MOVEMENT, SHOWN)}
    assert values(TOUCH) == set()
    restrict()
    assert values(TOUCH, MOVEMENT) == set()
    resume_patient(services, patient)
    assert values(TOUCH, MOVEMENT) == both


def test_a_patient_who_is_restricted_is_no_group_of_a_study(services, study, patient, restrict):
    def groups():
        with services.db.read() as db:
            return reliability._attributes(db, Patient.study_id == study)["sex"]

    assert groups() == {"P-1": "female"}
    restrict()
    assert groups() == {}


@pytest.mark.parametrize(
    ("key", "data_type"),
    [
        (TOUCH, "touch"),
        ("probe", "touch"),
        (MOVEMENT, "movement"),
        ("walk.distance[6mwt]", "location"),
        ("walk.distance[6mwt]", "movement"),
        ("obs.edss", "clinical"),
        ("obs.edss.step", "clinical"),
        ("gone.score", "touch"),  # whose type nobody knows any more
    ],
)
def test_alerts_leave_out_what_is_withheld(services, study, patient, restrict, key, data_type):
    number = alert_of(services, study, patient, key)

    def listed():
        page = alerts.list_alerts(services, study, review=False)
        return [UUID(each["id"]) for each in page["items"]], summary.patient_summary(services, patient)["open_alerts"]

    restrict(next(each for each in ("voice", "activity") if each not in data_types_of_key(key)))
    shown = ([number], 1) if not key.startswith("gone") else ([], 0)
    assert listed() == shown
    restrict(data_type)
    assert listed() == ([], 0)
    with pytest.raises(PatientRestricted):
        alerts.acknowledge(services, study, number, by="Ada")
    resume_patient(services, patient)
    assert listed() == ([number], 1)
    assert alerts.acknowledge(services, study, number, by="Ada")["acknowledged_by"] == "Ada"


def test_the_names_of_alerts_agree_with_what_is_hidden(services, study, patient, restrict):
    """The condition in SQL and the rule in Python are the same rule."""
    every = {"obs.edss": None, "gone": None, "walkabout.distance": None, "walk.distances": None, "walk_.distance": None}
    for name, declared in every_assessment().items():
        every |= dict.fromkeys((name, *(f"{name}.{measure.quantity}[x].mean" for measure in declared.measures[:40])))
        every |= dict.fromkeys(f"{name}.{each.quantity}" for each in declared.measures if each.stream)
    rows = {key: alert_of(services, study, patient, key) for key in every}
    for data_type in ("location", "movement", "touch", "clinical", "other"):
        resume_patient(services, patient)
        restrict(data_type)
        listed, cursor = set(), None
        while True:
            page = alerts.list_alerts(services, study, review=False, cursor=cursor)
            listed |= {UUID(each["id"]) for each in page["items"]}
            cursor = page["next"]
            if cursor is None:
                break
        with services.db.read() as db:
            _, withheld = trends.shown_patient(db, patient)
        assert {key for key in every if rows[key] in listed} == {key for key in every if not withheld.hides(key)}


def test_a_review_neither_finds_nor_ends_what_is_withheld(services, study, patient, clock, restrict):
    number = alert_of(services, study, patient, TOUCH)
    gone = alert_of(services, study, patient, MOVEMENT)
    restrict("touch")
    clock.forward(hours=1)
    reviews.review_patient(services, patient)
    with services.db.read() as db:
        assert db.get_one(Alert, number).ended_at is None
        assert db.get_one(Alert, gone).ended_at == clock.now
    resume_patient(services, patient)
    assert patient in reviews.patients_due(services, study)


def test_nobody_reviews_a_patient_who_is_restricted(services, study, patient, session_id, restrict):
    assert reviews.patients_due(services, study) == [patient]
    restrict()
    assert reviews.patients_due(services, study) == []
    with services.db.read() as db:
        assert due.count_due(db, study, services.clock()) == 0
    resume_patient(services, patient)
    assert reviews.patients_due(services, study) == [patient]


def test_where_all_is_restricted_nothing_is_shown(services, study, patient, session_id, clock, restrict):
    own = schedules.create_schedule(services, study, assessment="probe", patient=patient, start="2026-11-02")
    alert_of(services, study, patient, MOVEMENT)
    restrict()
    for ask in (
        lambda: get_session(services, session_id),
        lambda: list_sessions(services, patient_id=patient),
        lambda: trends.patient_trends(services, patient),
        lambda: summary.patient_summary(services, patient),
        lambda: schedules.patient_adherence(services, patient),
        lambda: schedules.list_schedules(services, study, patient=patient),
        lambda: observations.list_observations(services, patient),
        lambda: observations.get_observation(services, patient, uuid4()),
        lambda: alerts.list_alerts(services, study, patient=patient),
        lambda: observations.enter_observation(services, patient, code="edss", at=clock.now, values={"step": 1.0}),
    ):
        with pytest.raises(PatientRestricted):
            ask()
    assert list_sessions(services)["items"] == []
    assert alerts.list_alerts(services, study)["items"] == []
    assert schedules.list_schedules(services, study)["items"] == []
    shown = get_patient(services, patient)
    assert (shown["code"], shown["birth_year"], shown["sex"]) == ("P-1", None, None)
    assert shown["restricted_at"] == clock.now.isoformat()
    assert list_patients(services, study_id=study)["items"] == [shown]
    resume_patient(services, patient)
    assert get_patient(services, patient)["birth_year"] == 1980
    assert len(list_sessions(services)["items"]) == 1
    assert schedules.list_schedules(services, study)["items"] == [own]


def test_others_are_shown_as_before(services, people, study, restrict, session_id):
    other = people.patient(study)
    sent = uuid4()
    ingest_session(services, session_id=sent, patient_id=other, body=session_body())
    before = [get_session(services, sent), trends.patient_trends(services, other)]
    restrict("touch")
    restrict()
    assert [get_session(services, sent), trends.patient_trends(services, other)] == before
    assert [each["id"] for each in list_sessions(services)["items"]] == [str(sent)]


def test_a_query_for_what_is_no_score_is_told_so_as_before(services, patient, restrict):
    restrict("touch")
    with pytest.raises(FieldInvalid):
        trends.patient_trends(services, patient, measure="nonsense")


def six_minutes():
    """A walk of which all that follows from positions is told."""
    return example("walk") | {"condition": {"protocol": "6mwt"}}


@pytest.fixture
def walked(services, patient):
    """A walk with positions, and its receipt."""
    body = orjson.dumps(
        orjson.loads(session_body()) | {"recordings": [six_minutes()]}, option=orjson.OPT_SERIALIZE_NUMPY
    )
    session_id = uuid4()
    receipt = ingest_session(services, session_id=session_id, patient_id=patient, body=body).receipt
    assert "walk.distance" in {each["measure"] for each in receipt["recordings"][0]["scores"]}
    return session_id


def test_where_only_the_location_is_restricted_a_walk_is_shown_without_it(services, study, patient, walked, restrict):
    located = {"walk.distance", "walk.path_length", "walk.position_speed"}

    def shown():
        (recording,) = get_session(services, walked, measures=True)["recordings"]
        return {each["measure"] for each in (*recording["scores"], *recording["measures"])} | {
            key.split("[")[0] for key in recording["absent"]
        }

    def columns():
        head, row = table(services, study, "walk").splitlines()
        pairs = zip(head.split(","), row.split(","), strict=False)
        return {name.split("[")[0] for name, cell in pairs if cell}

    before, before_columns = shown(), columns()
    assert located <= before
    restrict("location")
    assert before - shown() == located
    assert (before_columns & located) - columns() == before_columns & located != set()
    told = trends.patient_trends(services, patient)
    assert told["withheld"] == ["location"]
    assert {each["measure"] for each in told["trends"]} & located == set()
    assert {each["measure"] for each in told["trends"]} >= {"walk.stride_variability"}


@pytest.mark.parametrize("name", sorted(every_assessment()))
def test_what_is_said_to_follow_from_a_stream_does(name):
    """Without positions, the measures that follow from them have no value; all others stay what they were."""
    declared = every_assessment()[name]
    from_stream = {f"{name}.{each.quantity}" for each in declared.measures if each.stream}
    optional = {each.name for each in declared.inputs if each.optional and each.of == "stream"}
    assert {each.stream for each in declared.measures if each.stream} <= optional
    if "gps" not in {each.name for each in declared.inputs}:
        assert from_stream == set()
        return
    recording = parse(six_minutes())
    parts = tuple(
        Part(**{field: getattr(part, field) for field in ("condition", "start_s", "duration_s", "events", "answers")},
             streams={key: stream for key, stream in part.streams.items() if key != "gps"})
        for part in recording.parts
    )  # fmt: skip
    there, without = declared.run(recording), declared.run(replace(recording, parts=parts))
    catalogue = declared.catalogue
    changed = ~((there.features == without.features) | (np.isnan(there.features) & np.isnan(without.features)))
    assert {catalogue.entries[index].measure for index in np.flatnonzero(changed)} == from_stream
    assert np.isnan(without.features[changed]).all()
