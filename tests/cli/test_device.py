"""Phones from the command line: codes that enrol them, and their end."""

import re
from uuid import UUID

import orjson
import pytest

from konectom.commands.device import REASONS, qr_for_terminal
from konectom.errors import EnrolmentRefused, NotAuthenticated
from konectom.security.secrets import new_secret
from konectom.workflows.access.tokens import authenticate
from konectom.workflows.patients import devices
from konectom.workflows.patients.enrolments import exchange


@pytest.fixture
def patient(people):
    return people.patient(people.study("pilot"), "P1")


def exchanged(services, code):
    return exchange(services, code=code, renewal=new_secret("renewal"), device={"platform": "ios"})


def test_a_code_is_printed_with_what_to_scan(konectom, services, patient):
    out = konectom("device", "enrol", "--patient", "P1", "--study", "pilot").stdout
    code = re.search(r"^code +(ke_[0-9A-Z-]{34})$", out, re.M)[1]
    said = orjson.loads(re.search(r"^QR text +(\{.+\})$", out, re.M)[1])
    assert said == {"konectom": 1, "url": "http://127.0.0.1:8000", "code": code}
    assert out.startswith(qr_for_terminal(orjson.dumps(said).decode()))
    assert exchanged(services, code)["patient"] == str(patient)


def test_the_url_is_a_setting(konectom, patient):
    konectom.environ["KONECTOM_PUBLIC_URL"] = "https://konectom.example/"
    made = konectom.json("device", "enrol", "--patient", "P1")
    assert orjson.loads(made["qr"])["url"] == "https://konectom.example"


def test_what_the_squares_say_can_be_read_back():
    rows = qr_for_terminal("konectom").splitlines()
    dark = {" ": (1, 1), "▀": (0, 1), "▄": (1, 0), "█": (0, 0)}
    squares = [[dark[each][half] for each in row] for row in rows for half in (0, 1)]
    finder = [squares[4][4:11], squares[5][4:11], squares[6][4:11]]
    assert finder == [[1, 1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0, 1], [1, 0, 1, 1, 1, 0, 1]]


def test_codes_are_listed_without_themselves(konectom, services, patient):
    first, second = (konectom.json("device", "enrol", "--patient", "P1") for _ in range(2))
    device = exchanged(services, second["code"])["device"]
    listed = konectom.json("device", "enrolments", "--patient", "P1")
    assert {row["id"]: (row["state"], row["device"]) for row in listed} == {
        first["id"]: ("revoked", None),
        second["id"]: ("used", device),
    }
    assert first["code"] not in konectom("device", "enrolments", "--patient", "P1").stdout


def test_a_code_is_made_void_unless_it_was_used(konectom, services, patient):
    made = konectom.json("device", "enrol", "--patient", "P1")
    konectom("device", "void", made["id"])
    with pytest.raises(EnrolmentRefused):
        exchanged(services, made["code"])
    used = konectom.json("device", "enrol", "--patient", "P1")
    exchanged(services, used["code"])
    assert "enrolment_used" in konectom("device", "void", used["id"], status=1).stderr


def test_a_phone_is_listed_and_shut_out_and_the_others_are_not(konectom, services, patient):
    lost, kept = (exchanged(services, konectom.json("device", "enrol", "--patient", "P1")["code"]) for _ in range(2))
    assert "no access" in konectom("device", "revoke", lost["device"], "--reason", "lost").stdout
    with pytest.raises(NotAuthenticated):
        authenticate(services, lost["access"]["token"])
    assert authenticate(services, kept["access"]["token"]).device_id == UUID(kept["device"])
    listed = {row["id"]: row for row in konectom.json("device", "list", "--patient", "P1")}
    assert (listed[lost["device"]]["revoked_for"], listed[kept["device"]]["revoked_for"]) == ("lost", None)
    konectom("device", "revoke", lost["device"], "--reason", "other")  # again changes nothing
    assert konectom.json("device", "list", "--patient", "P1") == list(listed.values())
    assert lost["access"]["token"] not in konectom("device", "list", "--patient", "P1").stdout


@pytest.mark.parametrize("name", ["nonsense", "7c9e6679-7425-40de-944b-e07fc1f90ae7"])
def test_what_does_not_exist_is_refused(konectom, name):
    konectom("device", "revoke", name, status=1)
    konectom("device", "void", name, status=1)


def test_the_reasons_are_those_of_the_workflow():
    assert REASONS == devices.REASONS
