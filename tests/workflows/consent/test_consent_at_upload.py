"""Nothing is collected that a patient has not agreed to: asked before anything is kept."""

import copy
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import event, func, select
from sqlalchemy.dialects import postgresql

from konectom import formats
from konectom.assessments import every_assessment
from konectom.errors import ConsentMissing, ConsentWithdrawn, KonectomError, PatientRestricted
from konectom.recording import Defect, Part, Recording, Rejected
from konectom.storage.models import Blob, Observation, SessionRow
from konectom.workflows.consent.data_types import data_types_of
from konectom.workflows.consent.decisions import lock_patient, record_consent, withdraw_consent
from konectom.workflows.consent.forms import create_consent_form
from konectom.workflows.consent.restrictions import restrict_patient, resume_patient
from konectom.workflows.observations.entering import enter_observation
from konectom.workflows.observations.importing import import_observations
from konectom.workflows.patients.people import find_patient
from konectom.workflows.sessions import ingest
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.listing import get_session
from tests.formats.test_konectom2 import FILE as KONECTOM2_FILE
from tests.kept import kept
from tests.probe import probe_of, probe_recording, session_body

LOCATED = {"sensors": [{"name": "gps", "measurements": []}]}
GPS = {"unit": "m", "t": [0.0, 1.0], "x": [0.0, 1.0], "y": [0.0, 1.0]}


@pytest.fixture(autouse=True)
def tests_of_two_types(monkeypatch, probe):
    """``probe`` is of the type ``touch``, ``sway`` of ``movement``."""
    monkeypatch.setitem(every_assessment(), "probe", replace(probe_of(1), domain="upper limb"))
    monkeypatch.setitem(every_assessment(), "sway", replace(probe_of(1), name="sway", domain="balance"))


@pytest.fixture
def study(services, people):
    study = people.study(consent="here")
    types = ["touch", "movement", "location", "voice", "clinical", "other"]
    create_consent_form(services, study, version="1", title="Study", text="Agree?", data_types=types)
    return study


@pytest.fixture
def patient(people, study):
    return people.patient(study, code="P-1")


@pytest.fixture
def agree(services, patient):
    def agree(*types):
        record_consent(services, patient, state="given", form="1", data_types=types)

    return agree


@pytest.fixture
def send(services, patient):
    def send(*recordings, session_id=None, patient_id=patient):
        body = session_body(*recordings)
        return ingest_session(services, session_id=session_id or uuid4(), patient_id=patient_id, body=body)

    return send


def sway(**more):
    return probe_recording() | {"assessment": "sway"} | more


def located():
    recording = sway()
    return recording | {"streams": recording["streams"] | {"gps": GPS}}


def stored(services):
    with services.db.read() as db:
        rows = [db.scalar(select(func.count()).select_from(each)) for each in (SessionRow, Blob)]
    return (*rows, len(kept(services)))


def test_nothing_is_collected_without_consent(services, send):
    with pytest.raises(ConsentMissing) as error:
        send(probe_recording(), sway())
    assert (error.value.at, error.value.context) == ("/recordings/0", {"data_types": ["movement", "touch"]})
    assert stored(services) == (0, 0, 0)


def test_each_type_needs_consent_of_its_own(services, agree, send):
    agree("touch")
    assert send(probe_recording()).created
    with pytest.raises(ConsentMissing) as error:
        send(probe_recording(), probe_recording(), sway())
    assert (error.value.at, error.value.context) == ("/recordings/2", {"data_types": ["movement"]})
    assert stored(services)[0] == 1
    agree("movement")
    assert send(probe_recording(), sway()).created


def test_positions_need_consent_of_their_own(agree, send):
    agree("movement")
    assert send(sway()).created
    with pytest.raises(ConsentMissing) as error:
        send(sway(), located())
    assert (error.value.at, error.value.context) == ("/recordings/1", {"data_types": ["location"]})
    agree("location")
    assert send(located()).created


def test_streams_tell_the_types_that_a_recording_carries():
    def recording(*streams, defects=()):
        return Recording("sway", (Part(streams=dict.fromkeys(streams), defects=defects),))

    assert data_types_of(recording("accelerometer")) == {"movement"}
    assert data_types_of(recording("gps", "audio")) == {"movement", "location", "voice"}
    assert data_types_of(recording(defects=(Defect("gps", "unit_missing", "", ""),))) == {"movement", "location"}
    assert data_types_of(recording(defects=(Defect("tap", "unit_missing", "", ""),))) == {"movement"}
    assert data_types_of(recording(defects=(Defect("place", "stream_unknown", "", ""),))) == {"movement", "other"}
    assert data_types_of(Recording("sway", (), beside=frozenset({"gps"}))) == {"movement", "location"}
    assert data_types_of(Rejected("probe", {}, frozenset({"touch"}))) == {"touch"}
    assert data_types_of(Rejected("probe", {}, frozenset({"touch", "audio"}))) == {"touch", "voice"}
    assert data_types_of(Rejected("probe", {}, frozenset({"place"}))) == {"touch", "other"}
    assert data_types_of(Rejected("probe", {})) == {"touch", "other"}
    assert data_types_of(Rejected("unknown", {})) == data_types_of(Rejected(None, {})) == {"other"}


def damaged(**streams):
    recording = sway()
    return recording | {"streams": recording["streams"] | {"accelerometer": {"unit": "m/s2"}} | streams}


@pytest.mark.parametrize(
    ("recording", "types"),
    [
        (damaged(), {"movement"}),
        (damaged(gps=GPS), {"movement", "location"}),
        (damaged(audio={"unit": "?"}), {"movement", "voice"}),
        (damaged(place={}), {"movement", "other"}),
        (sway(parts=[{"streams": {}}, {"streams": {"gps": GPS}}]), {"movement", "location"}),
        (sway(parts=[{}, 7]), {"movement", "other"}),
        (sway(parts=7), {"movement", "other"}),
        (sway(streams=[{"gps": GPS}]), {"movement", "other"}),
        (sway(streams={"gps": GPS}, offset_s="?"), {"movement", "location"}),
        ({"streams": {"gps": GPS}}, {"other", "location"}),
        (7, {"other"}),
    ],
)
def test_what_a_rejected_recording_carried_needs_consent(services, agree, send, recording, types):
    """It is kept in the bytes of the session, beside a recording that can be read."""
    (_, rejected) = formats.read(session_body(probe_recording(), recording)).recordings
    assert isinstance(rejected, Rejected)
    assert data_types_of(rejected) == types
    agree("touch", *(types - {"location", "voice", "other"}))
    sensitive = types & {"location", "voice", "other"}
    if sensitive:
        with pytest.raises(ConsentMissing) as error:
            send(probe_recording(), recording)
        assert (error.value.at, set(error.value.context["data_types"])) == ("/recordings/1", sensitive)
        assert stored(services) == (0, 0, 0)
        agree(*sensitive)
    assert send(probe_recording(), recording).created


def test_a_stream_of_an_unknown_name_needs_consent_of_its_own(services, agree, send):
    recording = probe_recording()
    recording["streams"]["place"] = GPS
    agree("touch", "location")
    with pytest.raises(ConsentMissing) as error:
        send(recording)
    assert error.value.context == {"data_types": ["other"]}
    agree("other")
    assert send(recording).created


def test_what_cannot_be_read_needs_consent_as_well(agree, send):
    """The bytes of a recording that is rejected are kept with the others'."""
    damaged = sway()
    damaged["streams"]["accelerometer"]["x"].pop()
    agree("touch")
    for beside, types in ((damaged, ["movement"]), (sway(assessment="juggling"), ["other"])):
        with pytest.raises(ConsentMissing) as error:
            send(probe_recording(), beside)
        assert (error.value.at, error.value.context) == ("/recordings/1", {"data_types": types})
    agree("movement", "other")
    assert send(probe_recording(), damaged, sway(assessment="juggling")).created


def test_consent_that_was_withdrawn_stops_the_collection(services, patient, agree, send):
    agree("touch", "movement")
    sent = uuid4()
    receipt = send(probe_recording(), session_id=sent).receipt
    withdraw_consent(services, patient, data_types=["touch"])
    with pytest.raises(ConsentWithdrawn) as error:
        send(sway(), probe_recording())
    assert (error.value.at, error.value.context) == ("/recordings/1", {"data_types": ["touch"]})
    assert stored(services)[0] == 1
    assert get_session(services, sent) == receipt  # what was collected before stays in use


def test_a_session_that_is_there_is_answered_whatever_was_decided_since(services, patient, agree, send):
    agree("touch")
    sent = uuid4()
    first = send(probe_recording(), session_id=sent)
    withdraw_consent(services, patient)
    again = send(probe_recording(), session_id=sent)
    assert not again.created
    assert again.receipt == first.receipt
    restrict_patient(services, patient, data_types=["touch"], reason="why")
    (recording,) = send(probe_recording(), session_id=sent).receipt["recordings"]
    assert recording == {"index": 0, "assessment": "probe", "status": "processed", "withheld": ["touch"]}
    restrict_patient(services, patient, reason="why")
    with pytest.raises(PatientRestricted):
        send(probe_recording(), session_id=sent)


def test_nothing_is_added_to_what_is_restricted(services, patient, agree, send):
    agree("touch", "movement")
    restrict_patient(services, patient, data_types=["movement"], reason="why")
    assert send(probe_recording()).created
    with pytest.raises(PatientRestricted) as error:
        send(probe_recording(), sway())
    assert (error.value.at, error.value.context) == ("/recordings/1", {"data_types": ["movement"]})
    restrict_patient(services, patient, reason="why")
    with pytest.raises(PatientRestricted) as error:
        send(probe_recording())
    assert stored(services)[0] == 1
    resume_patient(services, patient)
    assert send(probe_recording(), sway()).created


def test_the_gravest_reason_is_told(services, patient, agree, send):
    agree("location")
    withdraw_consent(services, patient, data_types=["movement"])
    with pytest.raises(ConsentWithdrawn) as error:
        send(probe_recording(), sway())
    assert (error.value.at, error.value.context) == ("/recordings/1", {"data_types": ["movement"]})


def test_where_consent_is_kept_elsewhere_only_what_is_entered_counts(services, people, send):
    patient = people.patient()
    assert send(probe_recording(), sway(), patient_id=patient).created
    withdraw_consent(services, patient, data_types=["touch"])
    assert send(sway(), patient_id=patient).created
    with pytest.raises(ConsentWithdrawn):
        send(probe_recording(), patient_id=patient)


def test_consent_is_asked_for_before_anything_is_computed(services, send, monkeypatch):
    def computed(session):
        raise AssertionError("this was computed without consent")

    monkeypatch.setattr(ingest, "extract_session", computed)
    with pytest.raises(ConsentMissing):
        send(probe_recording())


def test_a_body_that_cannot_be_read_is_told_so_first(services, patient):
    with pytest.raises(KonectomError) as error:
        ingest_session(services, session_id=uuid4(), patient_id=patient, body=b"{}")
    assert error.value.code == "format_unknown"


def test_observations_are_clinical(services, patient, agree, clock):
    def enter(value=3.5):
        at = clock.now - timedelta(days=1)
        return enter_observation(services, patient, code="edss", at=at, values={"step": value}, source=str(value))

    with pytest.raises(ConsentMissing) as error:
        enter()
    assert error.value.context == {"data_types": ["clinical"]}
    agree("clinical")
    entered = enter()
    withdraw_consent(services, patient)
    with pytest.raises(ConsentWithdrawn):
        enter(4.0)
    assert enter().observation == entered.observation  # it was there
    restrict_patient(services, patient, data_types=["clinical"], reason="why")
    with pytest.raises(PatientRestricted):
        enter()
    with services.db.read() as db:
        assert db.scalar(select(func.count()).select_from(Observation)) == 1


def test_an_import_tells_whose_observations_may_not_be_kept(services, people, study, patient):
    willing = people.patient(study, code="P-2")
    record_consent(services, willing, state="given", form="1", data_types=["clinical"])
    gone = people.patient(study, code="P-3")
    withdraw_consent(services, gone)
    held = people.patient(study, code="P-4")
    restrict_patient(services, held, reason="why")
    lines = [f"{code},edss,2026-03-02T10:15:00+01:00,step,3.5" for code in ("P-1", "P-2", "P-3", "P-4", "P-5")]
    body = "\n".join(["patient,code,at,component,value", *lines, ""]).encode()
    imported = import_observations(services, study, body, media_type="text/csv")
    assert imported.entered == 1
    assert [each.code for each in imported.problems] == [
        "consent_missing",
        "consent_withdrawn",
        "patient_restricted",
        "not_found",
    ]


def test_the_readers_keep_positions_in_the_stream_that_is_asked_about():
    (recording,) = formats.read(session_body(located())).recordings
    assert data_types_of(recording) == {"movement", "location"}


@pytest.mark.parametrize(
    ("decide", "error"),
    [
        (lambda services, patient: withdraw_consent(services, patient), ConsentWithdrawn),
        (lambda services, patient: withdraw_consent(services, patient, data_types=["touch"]), ConsentWithdrawn),
        (lambda services, patient: restrict_patient(services, patient, reason="why"), PatientRestricted),
        (
            lambda services, patient: restrict_patient(services, patient, reason="why", data_types=["touch"]),
            PatientRestricted,
        ),
    ],
)
def test_what_is_decided_while_an_upload_is_computed_holds_for_it(
    services, patient, agree, send, monkeypatch, decide, error
):
    """Whoever was told that nothing more is collected was told the truth."""
    agree("touch")
    compute = ingest.extract_session

    def decided_meanwhile(session):
        decide(services, patient)
        return compute(session)

    monkeypatch.setattr(ingest, "extract_session", decided_meanwhile)
    with pytest.raises(error):
        send(probe_recording())
    assert stored(services) == (0, 0, 0)


def test_the_locks_of_an_upload_and_of_a_decision_exclude_each_other(services, patient):
    """On PostgreSQL, by its table of locks: FOR SHARE conflicts with FOR NO KEY UPDATE, FOR KEY SHARE does not."""
    statements = []

    def compiled(state):
        statements.append(str(state.statement.compile(dialect=postgresql.dialect())))

    with services.db.write() as db:
        event.listen(db, "do_orm_execute", compiled)
        find_patient(db, patient, lock=True)
        lock_patient(db, patient)
    locks = [statement.rpartition(" FOR ")[2] for statement in statements if " FOR " in statement]
    assert locks == ["SHARE", "NO KEY UPDATE"]


def ads_file(code):
    return {"mobileEvaluationTest": {"beginTimestamp": 1, "code": code, "levels": [LOCATED]}}


def konectom2_file(**changes):
    file = copy.deepcopy(KONECTOM2_FILE)
    file["body"]["levels"][0] |= changes
    return file


@pytest.mark.parametrize(
    ("file", "types"),
    [
        (KONECTOM2_FILE, {"touch"}),
        (konectom2_file(raw_data={"gps": {"x": [1]}}), {"touch", "location"}),
        (konectom2_file(configuration={}, raw_data={"gps": {"x": [1]}}), {"other", "location"}),
        (konectom2_file(configuration={}, raw_data=[]), {"other"}),
        (ads_file("?"), {"other", "location"}),
        (ads_file("mood"), None),
    ],
)
def test_positions_in_files_of_other_apps_need_consent_whether_the_test_uses_them_or_not(file, types):
    (recording,) = formats.read(orjson.dumps(file)).recordings
    found = data_types_of(recording)
    assert found == types if types else found > {"location"}
