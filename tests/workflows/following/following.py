"""Patients whose EDSS is followed, and their alerts: for the tests of alerts, reviews and summaries."""

from datetime import UTC, datetime, timedelta

import pytest

from konectom.workflows.following.alerts import list_alerts
from konectom.workflows.following.due import SETTLING
from konectom.workflows.observations.entering import enter_observation

FIRST = datetime(2025, 1, 6, 10, tzinfo=UTC)
WEEK = timedelta(weeks=1)


@pytest.fixture
def study(people):
    return people.study()


@pytest.fixture
def patient(people, study):
    return people.patient(study)


@pytest.fixture
def visit(services, patient):
    """Enters an EDSS so many weeks after the first."""

    def enter(week, score, patient_id=patient):
        at = FIRST + week * WEEK
        return enter_observation(services, patient_id, code="edss", at=at, values={"step": score}).observation

    return enter


@pytest.fixture
def alerts(services, study, clock):
    """Lists alerts some time after what came last has settled."""

    def ask(status="open", **how):
        clock.now += 2 * SETTLING
        return list_alerts(services, study, status=status, **how)["items"]

    return ask


def kinds(found):
    return [each["kind"] for each in found]
