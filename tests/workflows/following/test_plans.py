"""Lists and look-ups use an index: none reads a table through."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import event

from konectom.security.secrets import new_secret
from konectom.workflows.access import tokens
from konectom.workflows.consent import decisions as consents
from konectom.workflows.consent import forms as consent_forms
from konectom.workflows.following import alerts, reviews, summary, trends
from konectom.workflows.patients import devices, enrolments, people, renewals, schedules
from konectom.workflows.sessions import listing as sessions
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.tables import export
from tests.probe import session_body

ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def plans(services):
    """Returns the plan of each SELECT that a question asks of the database."""

    def of(ask):
        asked = []

        def note(connection, cursor, statement, parameters, context, many):
            if statement.startswith("SELECT"):
                asked.append((statement, parameters))

        event.listen(services.db.engine, "before_cursor_execute", note)
        try:
            ask()
        finally:
            event.remove(services.db.engine, "before_cursor_execute", note)
        with services.db.engine.connect() as connection:
            return [
                step[3]
                for statement, parameters in asked
                for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ]

    return of


@pytest.mark.embedded
def test_questions_are_answered_from_an_index(services, people_of_a_study, plans, probe):
    study, patient, session_id = people_of_a_study
    phone = enrolments.enrol_device(services, patient_id=patient)
    code = enrolments.create_enrolment(services, patient_id=patient)["code"]
    schedules.create_schedule(services, study, assessment="probe", start="2026-11-02")
    page = {"limit": 1}
    cursor = people.list_patients(services, study_id=study, limit=1)["next"]
    later = sessions.list_sessions(services, patient_id=patient, limit=1)["next"]
    questions = {
        "session": lambda: sessions.get_session(services, session_id, measures=True),
        "sessions": lambda: sessions.list_sessions(services, cursor=later, **page),
        "sessions of a patient": lambda: sessions.list_sessions(
            services, patient_id=patient, since=ANY_TIME, cursor=later, **page
        ),
        "patients": lambda: people.list_patients(services, study_id=study, cursor=cursor, **page),
        "devices": lambda: devices.list_devices(services, patient_id=patient, **page),
        "trend": lambda: trends.patient_trends(services, patient, measure="probe.samples", start=ANY_TIME),
        "summary": lambda: summary.patient_summary(services, patient),
        "alerts": lambda: alerts.list_alerts(services, study, review=False, **page),
        "review": lambda: reviews.review_patient(services, patient),
        "due for a review": lambda: reviews.patients_due(services, study),
        "schedules": lambda: schedules.list_schedules(services, study, patient=patient, **page),
        "consent": lambda: consents.patient_consents(services, patient),
        "consent forms": lambda: consent_forms.list_consent_forms(services, study, **page),
        "adherence": lambda: schedules.patient_adherence(services, patient),
        "token": lambda: tokens.authenticate(services, phone.access_token),
        "exchange": lambda: enrolments.exchange(services, code=code, renewal=new_secret("renewal")),
        "renewal": lambda: renewals.renew(services, renewal=phone.renewal, next=new_secret("renewal")),
        "enrolments": lambda: enrolments.list_enrolments(services, patient_id=patient, **page),
    }
    # Keys of measures are a few hundred at most, and catalogues a few.
    small = ("SCAN measure", "SCAN catalogue")
    for name, ask in questions.items():
        scans = [step for step in plans(ask) if step.startswith("SCAN") and not step.startswith(small)]
        assert scans in ([], [f"SCAN session USING INDEX {RECEIVED}"]), name


RECEIVED = "ix_session_received_at_id"


@pytest.mark.embedded
def test_pages_are_not_sorted(services, people_of_a_study, plans, probe):
    study, patient = people_of_a_study[:2]
    for ask in (
        lambda: sessions.list_sessions(services, limit=1),
        lambda: sessions.list_sessions(services, patient_id=patient, limit=1),
        lambda: trends.patient_trends(services, patient, measure="probe.samples"),
        lambda: alerts.list_alerts(services, study, review=False, limit=1),
    ):
        assert not [step for step in plans(ask) if "USE TEMP B-TREE FOR ORDER BY" in step]


@pytest.mark.embedded
def test_an_export_never_reads_all_results_of_all_studies(services, people_of_a_study, plans, probe):
    study = people_of_a_study[0]
    steps = plans(lambda: b"".join(export.feature_table(services, study, "probe")))
    assert not [step for step in steps if step in ("SCAN result", "SCAN recording", "SCAN session")]


@pytest.fixture
def people_of_a_study(services, people, probe):
    study = people.study()
    patients = [people.patient(study) for _ in range(3)]
    sent = [uuid4() for _ in range(3)]
    for session_id in sent:
        ingest_session(services, session_id=session_id, patient_id=patients[0], body=session_body())
    return study, patients[0], sent[0]
