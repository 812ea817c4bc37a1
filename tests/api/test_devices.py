"""Phones over HTTP: codes, exchange, renewal, and who may see and end them."""

from uuid import UUID, uuid4

import orjson
import pytest

from konectom.security.secrets import new_secret
from tests.api.client import first_error


def secret():
    return new_secret("renewal")


@pytest.fixture
def patient(people):
    return people.patient()


@pytest.fixture
def made(staff, patient):
    """A new enrolment, as staff see it this once."""
    answer = staff.post(f"/patients/{patient}/enrolments")
    assert answer.status_code == 201
    return answer.json


def exchanged(anybody, code, renewal=None, **more):
    return anybody.post("/enrolments/exchange", json={"code": code, "renewal": renewal or secret()} | more)


def test_a_phone_becomes_a_patients_and_reaches_only_that(anybody, staff, people, patient, made):
    assert (made["patient"], made["state"], made["device"]) == (str(patient), "open", None)
    assert orjson.loads(made["qr"]) == {"konectom": 1, "url": "http://127.0.0.1:8000", "code": made["code"]}
    facts = {"platform": "android", "model": "Pixel 9", "os": "16", "app": "2.0"}
    mine = secret()
    answer = exchanged(anybody, made["code"], mine, device=facts)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert mine not in answer.text
    headers = {"Authorization": f"Bearer {answer.json['access']['token']}"}
    assert anybody.get(f"/patients/{patient}", headers=headers).json["id"] == str(patient)
    assert anybody.get(f"/patients/{people.patient()}", headers=headers).status_code == 404
    assert anybody.get(f"/patients/{patient}/devices", headers=headers).status_code == 403
    assert anybody.post(f"/patients/{patient}/enrolments", headers=headers).status_code == 403
    (device,) = staff.get(f"/patients/{patient}/devices").json["items"]
    assert {name: device[name] for name in facts} == facts
    (enrolment,) = staff.get(f"/patients/{patient}/enrolments").json["items"]
    assert (enrolment["state"], enrolment["device"]) == ("used", device["id"])
    assert "code" not in enrolment


def test_a_renewal_is_answered_alike_however_often_it_is_asked_for(anybody, made):
    mine, following = secret(), secret()
    first = exchanged(anybody, made["code"], mine).json
    renewed = [anybody.post("/devices/renewal", json={"renewal": mine, "next": following}) for _ in range(3)]
    assert [each.status_code for each in renewed] == [200] * 3
    assert renewed[0].headers["Cache-Control"] == "no-store"
    assert [each.json for each in renewed] == [renewed[0].json] * 3
    assert renewed[0].json["access"]["token"] != first["access"]["token"]
    for each in (mine, following):
        assert each not in renewed[0].text


def test_an_old_token_says_to_renew(anybody, patient, made):
    mine = secret()
    token = exchanged(anybody, made["code"], mine).json["access"]["token"]
    anybody.post("/devices/renewal", json={"renewal": mine, "next": secret()})
    refused = anybody.get(f"/patients/{patient}", headers={"Authorization": f"Bearer {token}"})
    assert first_error(refused) == (401, "not_authenticated", None)


def test_refusals_say_no_more_than_they_must(anybody, staff, patient, made):
    unknown = exchanged(anybody, "ke_" + "-".join(["0000"] * 7))
    exchanged(anybody, made["code"])
    used = exchanged(anybody, made["code"])
    for refused in (unknown, used):
        assert first_error(refused) == (401, "enrolment_refused", None)
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    alike = ("type", "title", "status", "code", "detail", "instance")
    assert [unknown.json[name] for name in alike] == [used.json[name] for name in alike]
    nobodys = anybody.post("/devices/renewal", json={"renewal": secret(), "next": secret()})
    assert first_error(nobodys) == (401, "renewal_refused", None)


def test_a_late_renewal_and_a_theft_are_told_apart(anybody, patient, made):
    first, second, third = secret(), secret(), secret()
    exchanged(anybody, made["code"], first)
    for old, new in ((first, second), (second, third)):
        held = anybody.post("/devices/renewal", json={"renewal": old, "next": new}).json["access"]["token"]
    late = anybody.post("/devices/renewal", json={"renewal": first, "next": second})
    assert first_error(late) == (401, "renewal_superseded", None)
    assert first_error(exchanged(anybody, made["code"], first)) == (401, "renewal_superseded", None)
    headers = {"Authorization": f"Bearer {held}"}
    assert anybody.get(f"/patients/{patient}", headers=headers).status_code == 200
    theft = anybody.post("/devices/renewal", json={"renewal": first, "next": secret()})
    assert first_error(theft) == (401, "renewal_refused", None)
    assert anybody.get(f"/patients/{patient}", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"renewal": "kr_short"}, (422, "field_invalid", "/renewal")),
        ({"renewal": "kr_" + "A" * 43}, (422, "field_invalid", "/renewal")),
        ({"renewal": 5}, (422, "field_invalid", "/renewal")),
        ({"code": None}, (422, "field_invalid", "/code")),
        ({"device": {"model": "x" * 201}}, (422, "field_invalid", "/device/model")),
        ({"device": {"serial": "1"}}, (422, "field_invalid", "/device/serial")),
        ({"patient": str(uuid4())}, (422, "field_invalid", "/patient")),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(anybody, made, change, told):
    body = {"code": made["code"], "renewal": secret()}
    assert first_error(anybody.post("/enrolments/exchange", json=body | change)) == told
    assert anybody.post("/enrolments/exchange", json=body).status_code == 200


@pytest.mark.parametrize("path", ["/enrolments/exchange", "/devices/renewal"])
def test_what_is_missing_is_told(anybody, path):
    assert first_error(anybody.post(path, json={}))[:2] == (422, "field_missing")
    assert first_error(anybody.post(path, data=b"{", headers={"Content-Type": "application/json"}))[0] == 400


def test_no_secret_of_another_kind_opens(anybody, callers, patient, made):
    mine = secret()
    exchanged(anybody, made["code"], mine)
    for token in (mine, made["code"], secret(), new_secret("enrolment")):
        refused = anybody.get(f"/patients/{patient}", headers={"Authorization": f"Bearer {token}"})
        assert first_error(refused) == (401, "not_authenticated", None)
    phone = callers.phone(patient)
    as_renewal = anybody.post("/devices/renewal", json={"renewal": phone.token, "next": secret()})
    assert first_error(as_renewal) == (422, "field_invalid", "/renewal")
    assert first_error(exchanged(anybody, phone.token)) == (401, "enrolment_refused", None)


def test_a_code_is_made_void(anybody, staff, people, patient, made):
    place = f"/patients/{patient}/enrolments/{made['id']}"
    assert staff("DELETE", f"/patients/{people.patient()}/enrolments/{made['id']}").status_code == 404
    assert staff("DELETE", f"/patients/{patient}/enrolments/{uuid4()}").status_code == 404
    assert [staff("DELETE", place).status_code for _ in range(2)] == [204, 204]
    assert first_error(exchanged(anybody, made["code"])) == (401, "enrolment_refused", None)
    used = staff.post(f"/patients/{patient}/enrolments").json
    device = exchanged(anybody, used["code"]).json["device"]
    refused = staff("DELETE", f"/patients/{patient}/enrolments/{used['id']}")
    assert first_error(refused) == (409, "enrolment_used", None)
    assert refused.json["device"] == device


def test_a_phone_is_shut_out(anybody, staff, people, patient, made):
    answer = exchanged(anybody, made["code"]).json
    headers = {"Authorization": f"Bearer {answer['access']['token']}"}
    place = f"/patients/{patient}/devices/{answer['device']}"
    assert staff("DELETE", f"/patients/{people.patient()}/devices/{answer['device']}").status_code == 404
    assert first_error(staff("DELETE", f"{place}?reason=angry"))[0] == 422
    assert anybody.get(f"/patients/{patient}", headers=headers).status_code == 200
    assert staff("DELETE", f"{place}?reason=lost").status_code == 204
    assert anybody.get(f"/patients/{patient}", headers=headers).status_code == 401
    (device,) = staff.get(f"/patients/{patient}/devices").json["items"]
    assert device["revoked_for"] == "lost"


def test_what_is_not_the_callers_does_not_exist(callers, people, patient, made):
    elsewhere = callers.staff(people.study())
    for method, path in (
        ("POST", f"/patients/{patient}/enrolments"),
        ("GET", f"/patients/{patient}/enrolments"),
        ("DELETE", f"/patients/{patient}/enrolments/{made['id']}"),
        ("GET", f"/patients/{patient}/devices"),
        ("DELETE", f"/patients/{patient}/devices/{UUID(int=1)}"),
    ):
        absent = elsewhere(method, path.replace(str(patient), str(uuid4())))
        outside = elsewhere(method, path)
        assert (outside.status_code, outside.json["detail"]) == (404, absent.json["detail"])
