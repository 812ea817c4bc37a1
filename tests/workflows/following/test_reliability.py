"""A study's reliability from what is stored."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import select

from konectom.errors import FieldInvalid, NotFound
from konectom.scoring.reliability.icc import icc
from konectom.storage.models import NoiseRow
from konectom.workflows.audit.check import verify
from konectom.workflows.erasing.erasure import erase_patient
from konectom.workflows.following.policies import set_policy
from konectom.workflows.following.reliability import keep_noise, reliability_of_study
from konectom.workflows.following.trends import patient_trends
from konectom.workflows.observations.entering import enter_observation
from konectom.workflows.sessions.ingest import ingest_session
from tests.probe import probe_recording, recompute, session_body

LEFT = "probe.level[left].mean"
REFERENCE = "obs.sdmt.correct"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
ALL = {"run_in": 0}


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def send(services, probe):
    """Hands over a session with one recording of the probe, all of whose samples are ``level``."""

    def send(patient, day, level, *, samples=5, supervised=False):
        body = session_body(
            probe_recording(x=[level] * samples),
            started_at=(START + timedelta(days=day)).isoformat(),
            supervised=supervised,
        )
        return ingest_session(services, session_id=uuid4(), patient_id=patient, body=body).receipt

    return send


@pytest.fixture
def cohort(people, study, send):
    """Six patients with two windows of three tests each, and what each window's median is."""
    rng = np.random.default_rng(1)
    medians, patients = [], []
    for number in range(6):
        patient = people.patient(study, f"P{number}", sex="female" if number % 2 else "male")
        patients.append(patient)
        level = 10 + 5 * number
        rows = [[round(float(level + each), 2) for each in rng.normal(0, 1, 3)] for _ in range(2)]
        for window, values in enumerate(rows):
            for place, value in enumerate(values):
                send(patient, 14 * window + 2 * place, value, supervised=window == 0)
        medians.append([float(np.median(values)) for values in rows])
    return patients, np.array(medians)


def of_one(services, study, measure=LEFT, **how):
    verdict = how.pop("verdict", None)
    (found,) = reliability_of_study(services, study, [measure], ALL | how, verdict=verdict).scores
    return found


def test_windows_of_what_is_stored(services, study, cohort):
    _, medians = cohort
    found = of_one(services, study)
    assert (found.patients, found.values) == (6, 36)
    for form in ("ICC(1,1)", "ICC(2,1)", "ICC(3,k)"):
        assert found.icc[form].value == pytest.approx(icc(medians)[form].value)
    assert found.bland_altman.bias.value == pytest.approx(np.diff(medians).mean())


def test_groups_labels_and_references(services, study, cohort):
    patients, medians = cohort
    for patient, level in zip(patients, medians.mean(axis=1), strict=True):
        enter_observation(
            services,
            patient,
            code="sdmt",
            at=START + timedelta(days=3),
            values={"correct": round(2 * level)},
            source="x",
        )
    words = {"groups": ["sex:female/male", f"{REFERENCE}>=45"], "references": [REFERENCE], "repeats": "labels"}
    found = of_one(services, study, **words)
    assert [each.name for each in found.repeats] == ["supervised", "unsupervised"]
    assert found.icc["ICC(3,1)"].value == pytest.approx(icc(medians)["ICC(3,1)"].value)
    sexes, high = found.groups
    assert (sexes.compared.first.n, sexes.compared.second.n) == (3, 3)
    assert high.compared.auc.value == 1
    (correlation,) = found.correlations
    assert correlation.pearson.r.value > 0.99
    of_itself = of_one(services, study, REFERENCE, references=[REFERENCE], repeats="values")
    assert of_itself.correlations[0].spearman.r.value == pytest.approx(1)


def test_an_observation_is_a_score_like_any_other(services, study, people):
    for number in range(4):
        patient = people.patient(study, f"O{number}")
        for day in (0, 30):
            found = {"correct": 40 + 5 * number + day // 30}
            at = START + timedelta(days=day)
            enter_observation(services, patient, code="sdmt", at=at, values=found, source="x")
    found = reliability_of_study(services, study, [REFERENCE], {"repeats": "values"}).scores[0]
    assert found.icc["ICC(3,1)"].value == 1
    assert found.bland_altman.bias.value == 1


def test_a_run_in_is_that_of_the_policy_unless_told(services, study, cohort):
    set_policy(services, study, {"run_in": {"probe": 2}, "tests_min": 1})
    told = reliability_of_study(services, study, [LEFT], {})
    assert told.design.as_dict()["run_in"] == {LEFT: 2}
    assert told.design.repeats.tests_min == 1
    assert told.scores[0].values == 36 - 6 * 2
    assert of_one(services, study).values == 36


def test_verdicts_that_do_not_count_are_left_out_but_were_runs(services, study, people, send):
    patient = people.patient(study, "Q")
    for day, samples in ((0, 2), (1, 5), (2, 5)):  # fewer than four samples are "limited"
        send(patient, day, float(10 + day), samples=samples)
    assert of_one(services, study, repeats="values").values == 3
    assert of_one(services, study, repeats="values", verdict="valid").values == 2
    assert of_one(services, study, repeats="values", verdict="valid", run_in=1).values == 2
    assert of_one(services, study, repeats="values", verdict="valid", run_in=2).values == 1


def test_only_the_newest_result_counts_and_versions_are_told(services, study, people, send, probe):
    patient = people.patient(study, "V")
    receipts = [send(patient, day, 3.0) for day in (0, 1)]
    probe(2)
    recompute(services, receipts[0]["id"])
    found = reliability_of_study(services, study, [LEFT], ALL)
    assert found.scores[0].values == 2
    assert found.versions[LEFT] == (1, 2)
    assert found.as_dict()["scores"][0]["versions"] == [1, 2]


def test_other_studies_do_not_count(services, study, cohort, people, send):
    send(people.patient(people.study()), 0, 3.0)
    assert of_one(services, study).patients == 6


def test_a_quantity_asks_for_all_of_its_scores(services, study, cohort):
    found = reliability_of_study(services, study, ["probe.level", "probe.samples"], ALL)
    assert [each.key for each in found.scores] == [LEFT, "probe.level[right].mean", "probe.samples"]
    assert found.scores[1].icc["ICC(1,1)"].reason == "fewer than 2 patients have at least 2 repeats"


@pytest.mark.parametrize(
    ("measures", "words", "at"),
    [
        (["probe.luck"], {}, "/query/measure"),
        ([], {}, "/query/measure"),
        ([LEFT], {"references": ["obs.luck.x"]}, "/query/references"),
        ([LEFT], {"groups": ["obs.luck.x>=1"]}, "/query/references"),
        ([LEFT], {"groups": ["women"]}, "/query/groups"),
        ([LEFT], {"count": 1}, "/query/count"),
        ([LEFT], {"verdict": "good"}, "/query/verdict"),
    ],
)
def test_what_is_no_score_or_design_is_refused(services, study, probe, measures, words, at):
    words = dict(words)
    verdict = words.pop("verdict", None)
    with pytest.raises(FieldInvalid) as refusal:
        reliability_of_study(services, study, measures, words, verdict=verdict)
    assert refusal.value.at == at


def test_too_many_scores_are_refused(services, study, probe):
    from konectom.workflows.following.reliability import declared_scores

    with pytest.raises(FieldInvalid, match="ask for 1 to 50"):
        reliability_of_study(services, study, list(declared_scores())[:60], {})


def test_a_study_that_is_not_there(services):
    with pytest.raises(NotFound):
        reliability_of_study(services, UUID(int=1), [LEFT], {})


def test_what_is_kept_is_the_noise_of_the_studys_trends(services, study, cohort):
    patients, _ = cohort
    found = reliability_of_study(services, study, [LEFT, "probe.samples"], ALL)
    assert keep_noise(services, found) == [LEFT, "probe.samples"]
    (trend,) = patient_trends(services, patients[0], measure=LEFT)["trends"]
    assert trend["noise"]["basis"] == "study"
    assert trend["noise"]["sem"] == pytest.approx(found.scores[0].agreement.sem.value)
    assert trend["noise"]["n"] == 6


def test_only_windows_tell_the_noise_of_trends(services, study, cohort):
    found = reliability_of_study(services, study, [LEFT], {"repeats": "values"})
    with pytest.raises(FieldInvalid) as refusal:
        keep_noise(services, found)
    assert refusal.value.at == "/query/repeats"


def test_what_was_computed_from_who_is_erased_goes_too(services, study, cohort, people):
    (erased, *_), _ = cohort
    other = people.study()
    keep_noise(services, reliability_of_study(services, study, [LEFT, "probe.samples"], ALL))
    with services.db.write() as db:
        (kept, *_) = db.scalars(select(NoiseRow)).all()
        same = {"measure_id": kept.measure_id, "computed_at": kept.computed_at, "told": kept.told}
        db.add(NoiseRow(id=uuid4(), study_id=other, **same))
    told = erase_patient(services, erased, reason="asked_by_patient")["certificate"]
    assert told["removed"]["rows"]["noise"] == 2
    with services.db.read() as db:
        assert db.scalars(select(NoiseRow.study_id)).all() == [other]
    assert verify(services, rows=True).sound
    assert keep_noise(services, reliability_of_study(services, study, [LEFT], ALL)) == [LEFT]
