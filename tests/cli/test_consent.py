"""Consent by command."""

import orjson
import pytest

from tests.probe import session_body


@pytest.fixture
def text(file_of):
    return file_of(b"What we ask you to agree to.", "consent.txt")


@pytest.fixture
def study(konectom, text):
    konectom("study", "create", "pilot")
    konectom("patient", "create", "P-1", "--study", "pilot")
    return konectom.json(
        *("consent", "form", "create", "1", "--study", "pilot", "--title", "Pilot", "--text", text),
        *("--data-type", "touch", "--data-type", "voice"),
    )


def test_forms_are_made_listed_and_retired(konectom, study, text):
    assert (study["version"], study["text"], study["data_types"]) == (
        "1",
        "What we ask you to agree to.",
        ["touch", "voice"],
    )
    assert konectom.json("consent", "form", "list", "--study", "pilot") == [study]
    assert "touch voice" in konectom("consent", "form", "list", "--study", "pilot").stdout
    konectom("consent", "form", "retire", "1", "--study", "pilot")
    assert konectom.json("consent", "form", "list", "--study", "pilot") == []
    assert len(konectom.json("consent", "form", "list", "--study", "pilot", "--all")) == 1
    konectom("consent", "form", "retire", "9", "--study", "pilot", status=1)
    again = ("consent", "form", "create", "1", "--study", "pilot", "--title", "x", "--data-type", "touch")
    assert "already_exists" in konectom(*again, "--text", text, status=1).stderr
    assert "No such file" in konectom(*again, "--text", text.with_name("none"), status=1).stderr


def test_a_form_that_is_no_text_is_refused(konectom, study, file_of):
    asked = ("consent", "form", "create", "2", "--study", "pilot", "--title", "x", "--data-type", "touch", "--text")
    assert "not UTF-8" in konectom(*asked, file_of(b"\xff", "bad.txt"), status=1).stderr


def test_decisions_are_recorded_shown_and_withdrawn(konectom, study):
    def states():
        return {each["data_type"]: each["state"] for each in konectom.json("consent", "show", "P-1")["current"]}

    konectom("consent", "record", "P-1", "--state", "given", "--form", "1")
    assert states() == {"touch": "given", "voice": "given"}
    told = ("consent", "withdraw", "P-1", "--data-type", "voice", "--decided-at")
    konectom(*told, "2026-01-05T09:30:00+01:00")
    assert states() == {"touch": "given", "voice": "withdrawn"}
    assert konectom("consent", "show", "P-1", "--history").stdout.count("\n") == 4
    assert "2026-01-05" in konectom("consent", "show", "P-1").stdout
    assert "no instant" in konectom(*told, "yesterday", status=1).stderr
    assert "offset" in konectom(*told, "2026-01-05T09:30:00", status=1).stderr
    assert set(states()) == {"touch", "voice"}
    konectom("consent", "withdraw", "P-1")
    assert set(states().values()) == {"withdrawn"}
    assert "field_missing" in konectom("consent", "record", "P-1", "--state", "given", status=1).stderr


def test_a_patient_is_restricted_and_resumed(konectom, study):
    assert (
        "restricted touch" in konectom("patient", "restrict", "P-1", "--reason", "why", "--data-type", "touch").stdout
    )
    konectom("patient", "restrict", "P-1", "--reason", "why")
    shown = konectom("consent", "show", "P-1")
    assert "touch" in shown.stdout
    assert "restricted since" in shown.stdout
    assert konectom.json("patient", "list")[0]["restricted_at"] is not None
    konectom("patient", "resume", "P-1", "--data-type", "touch")
    konectom("patient", "resume", "P-1", "--reason", "settled")
    told = konectom.json("consent", "show", "P-1")
    assert (told["restricted_at"], told["current"]) == (None, [])
    konectom("patient", "restrict", "P-1", status=2)  # without a reason


def test_a_file_without_consent_is_not_imported(konectom, study, file_of):
    recording = {"assessment": "tap", "duration_s": 20.0, "events": []}
    file = file_of(session_body(recording))
    refused = konectom("import", "--patient", "P-1", file, status=1)
    assert "consent_missing /recordings/0" in refused.stderr
    assert "touch" in refused.stderr


def test_a_study_may_keep_consent_elsewhere(konectom):
    assert konectom.json("study", "create", "A")["consent"] == "here"
    assert konectom.json("study", "create", "B", "--consent-elsewhere")["consent"] == "elsewhere"
    assert orjson.dumps(konectom.json("study", "list")).count(b"elsewhere") == 1
