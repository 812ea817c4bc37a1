"""What the tests of codes, renewals and tokens share. Their services have the lifetimes that are the default."""

from uuid import UUID

import pytest

from konectom.errors import NotAuthenticated
from konectom.security.secrets import new_secret
from konectom.settings import load_settings
from konectom.workflows.access.tokens import authenticate
from konectom.workflows.patients.devices import list_devices
from konectom.workflows.patients.enrolments import create_enrolment, list_enrolments
from konectom.workflows.services import Services
from tests.backends import where_of


@pytest.fixture
def services(settings, clock):
    """Services with the lifetimes that are the default."""
    default = load_settings({}, **where_of(settings), mode="development")
    services = Services.open(default, clock=clock)
    yield services
    services.close()


@pytest.fixture
def code(services, patient):
    return create_enrolment(services, patient_id=patient)["code"]


def secret():
    return new_secret("renewal")


def devices_of(services, patient):
    return list_devices(services, patient_id=patient)["items"]


def only_enrolment(services, patient):
    (row,) = list_enrolments(services, patient_id=patient)["items"]
    return UUID(row["id"])


def holds(services, token):
    try:
        return authenticate(services, token).kind == "device"
    except NotAuthenticated:
        return False
