"""What was known at an instant: whatever came since, it is told then as it was told at that time, bit by bit."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from konectom.errors import FieldInvalid, NotFound
from konectom.workflows.following.trends import patient_trends
from konectom.workflows.observations.entering import enter_observation
from konectom.workflows.sessions.listing import get_session
from konectom.workflows.tables.export import dictionary_csv, feature_dictionary, feature_table
from tests.probe import probe_recording
from tests.workflows.campaigns.campaigning import plan, recompute_all, send, work


def told(services, study, patients, sessions, as_of=None):
    """Everything that depends on results, of those patients and sessions that are there."""
    found = {}
    for assessment in (None, "probe"):
        for form in ("csv", "parquet"):
            found[assessment, form] = b"".join(feature_table(services, study, assessment, form=form, as_of=as_of))
    for version in (1, 2):
        found[version] = table_of(services, study, version, as_of)
    found["dictionary"] = dictionary_csv(feature_dictionary(services, study, as_of=as_of))
    for patient in patients:
        found[patient] = patient_trends(services, patient, as_of=as_of)
    for session in sessions:
        found[session] = get_session(services, session, measures=True, as_of=as_of)
    return found


def table_of(services, study, version, as_of):
    """The results of a version; nothing where there are none, since the columns are those that are declared then."""
    try:
        table = b"".join(feature_table(services, study, "probe", version, as_of=as_of))
    except FieldInvalid:
        return b""
    return table if table.count(b"\n") > 1 else b""


FIRST = ("upload", 0, [("left", 1.0, True)], 1)
"""Where there are no results at all, a table has the columns that are declared now."""

UPLOADS = st.tuples(
    st.just("upload"),
    st.integers(0, 1),
    st.lists(
        st.tuples(st.sampled_from(["left", "right"]), st.sampled_from([1.0, 1 / 3, 7.25, 1e7]), st.booleans()),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 28),
)
CAMPAIGNS = st.tuples(st.just("campaign"), st.integers(0, 2), st.sampled_from([None, 1, 2]), st.booleans())
OBSERVATIONS = st.tuples(st.just("observe"), st.integers(0, 1), st.integers(1, 28))
RELEASES = st.tuples(st.just("release"))
STEPS = st.lists(st.one_of(UPLOADS, CAMPAIGNS, CAMPAIGNS, OBSERVATIONS, RELEASES), min_size=1, max_size=7)


@pytest.fixture
def mended(monkeypatch):
    """Mends the fault of the probe for large values, and brings it back."""
    import numpy

    worst = numpy.nanmax

    def mend(yes):
        monkeypatch.setattr(numpy, "nanmax", (lambda values: 0.0) if yes else worst)

    return mend


# Every step asks the database for a lot: the smallest failing sequence would be looked for for too long.
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_as_of_any_step_all_is_told_as_it_was_at_that_step(services, people, probe, clock, mended, steps):
    study = people.study()
    patients = [people.patient(study), people.patient(study)]
    sessions, kept, version = [], [], 1
    probe(version=1)
    mended(False)
    for what, *how in [FIRST, *steps]:
        clock.forward(hours=1)
        if what == "upload":
            sessions.append(upload(services, patients, *how))
        elif what == "release":
            version += 1
            probe(version=version, extra=version % 2 == 0)  # the examples share a database
        elif what == "observe":
            at = clock() - timedelta(days=how[1])
            enter_observation(services, patients[how[0]], code="edss", at=at, values={"step": 3.5})
        else:
            campaign(services, study, patients, mended, *how)
        kept.append((clock(), told(services, study, patients, sessions), list(sessions)))
        clock.forward(hours=1)
    for instant, then, there in kept:
        now = told(services, study, patients, there, as_of=instant)
        assert [key for key in then if now[key] != then[key]] == []


def upload(services, patients, which, recordings, day):
    made = [probe_recording(hand=hand, x=[value, 2, 3, 4][: 4 if long else 3]) for hand, value, long in recordings]
    more = {"started_at": f"2026-10-{day:02}T10:00:00+02:00"}
    return UUID(send(services, patients[which], *made, **more)["id"])


def campaign(services, study, patients, mended, which, at_most, mends):
    """Compute again what is due of the study or of one patient; perhaps only a part; perhaps the fault is mended."""
    mended(mends)
    choice = {"study": study} | ({} if which == 2 else {"patient": patients[which]})
    left = [at_most]

    def stop():
        left[0] = None if left[0] is None else left[0] - 1
        return left[0] == 0

    work(services, plan(services, **choice), "run", unseen=True, stop=stop)
    mended(False)


def test_before_a_session_came_it_is_not_there(services, people, probe, clock):
    patient = people.patient()
    before = clock()
    clock.forward(hours=1)
    receipt = send(services, patient)
    with pytest.raises(NotFound):
        get_session(services, UUID(receipt["id"]), as_of=before)
    assert patient_trends(services, patient, as_of=before)["trends"] == []


def test_a_trend_of_a_campaign_that_was_left_off_tells_which_version_it_follows(services, people, probe, clock):
    study = people.study()
    patient = people.patient(study)
    for day in range(1, 7):
        clock.forward(hours=1)
        send(services, patient, started_at=f"2026-10-0{day}T10:00:00+02:00")
    probe(version=2)
    clock.forward(hours=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("konectom.workflows.campaigns.loads.SESSIONS_AT_ONCE", 1)
        left = iter((False, False, True))
        work(services, plan(services, study=study), "run", unseen=True, stop=lambda: next(left))
    trend = patient_trends(services, patient, measure="probe.samples")["trends"][0]
    assert (trend["version"], trend["versions"]) == (2, [1, 2])
    assert [point["version"] for point in trend["points"]] == [2, 2, 2, 1, 1, 1]
    assert [point["fate"] for point in trend["points"] if point["version"] == 1] == ["other_version"] * 3
    assert all(point["fate"] != "other_version" for point in trend["points"] if point["version"] == 2)
    assert any("not compared" in note for note in trend["notes"])
    recompute_all(services, study=study)
    trend = patient_trends(services, patient, measure="probe.samples")["trends"][0]
    assert trend["versions"] == [2]


@pytest.mark.parametrize(
    "ask",
    [
        lambda services, study, session, at: next(feature_table(services, study, as_of=at)),
        lambda services, study, session, at: feature_dictionary(services, study, as_of=at),
        lambda services, study, session, at: get_session(services, session, as_of=at),
        lambda services, study, session, at: patient_trends(services, session, as_of=at),
    ],
    ids=["table", "dictionary", "session", "trends"],
)
def test_what_will_be_known_is_not_told(services, people, clock, ask):
    study = people.study()
    with pytest.raises(FieldInvalid) as refused:
        ask(services, study, uuid4(), clock() + timedelta(seconds=1))
    assert refused.value.at == "/query/as_of"
