"""``konectom audit``, and what every other command leaves in the audit."""

import os
import pwd

import orjson
import pytest
from sqlalchemy import text

from tests.probe import session_body


@pytest.fixture
def operator():
    return pwd.getpwuid(os.getuid()).pw_name


def entries(konectom, *words):
    return konectom.json("audit", "list", *words)


def test_what_a_command_reads_is_noted_in_the_operators_name(konectom, people, operator):
    study = people.study("pilot")
    patient = people.patient(study, "P-1")
    konectom("patient", "list", "--study", "pilot")
    konectom("device", "list", "--patient", "P-1")
    konectom("patient", "list")
    of_study, of_patient, of_all = [each for each in entries(konectom) if each["change"] == "read"]
    assert {each["actor"]["kind"] for each in (of_study, of_patient, of_all)} == {"operator"}
    assert {each["actor"]["name"] for each in (of_study, of_patient, of_all)} == {operator}
    assert (of_study["action"], of_study["study"], of_study["detail"]) == (
        "patient list",
        str(study),
        {"patients": "all"},
    )
    assert (of_patient["action"], of_patient["patient"]) == ("device list", str(patient))
    assert (of_all["action"], of_all["study"], of_all["detail"]) == ("patient list", None, {"patients": "all"})
    assert "P-1" not in str([each["detail"] for each in entries(konectom)])
    assert len({each["request_id"] for each in (of_study, of_patient, of_all)}) == 3


@pytest.mark.usefixtures("probe")
def test_every_command_that_shows_patients_is_noted_before_it_shows_anything(konectom, people, file_of, tmp_path):
    study = people.study("pilot")
    people.patient(study, "P-1")
    konectom("import", "--patient", "P-1", file_of(session_body()))
    for words in (
        ("patient", "list", "--study", "pilot"),
        ("device", "list", "--patient", "P-1"),
        ("export", "features", "--study", "pilot", "-o", tmp_path / "f.csv"),
        ("alerts", "--study", "pilot"),
    ):
        before = len(entries(konectom))
        konectom(*words)
        new = entries(konectom)[before:]
        assert [each["action"] for each in new if each["change"] == "read"] == [
            " ".join(words[: 1 if words[0] == "alerts" else 2])
        ]


def test_what_cannot_be_noted_is_not_shown(konectom, people, settings):
    people.patient(people.study("pilot"), "P-1")
    settings_file = settings.data_dir / "keys.json"
    settings_file.rename(settings.data_dir / "away.json")
    refused = konectom("patient", "list", "--study", "pilot", status=1)
    assert "P-1" not in refused.output
    assert "keys" in refused.stderr


def test_a_command_that_changes_something_is_told_by_the_rows(konectom, people, operator):
    people.study("pilot")
    konectom("patient", "create", "P-1", "--study", "pilot")
    made = entries(konectom, "--action", "patient create")
    assert "patient" in {each["entity"] for each in made}
    assert {each["change"] for each in made} == {"insert"}
    assert {each["actor"]["name"] for each in made} == {operator}


@pytest.mark.usefixtures("probe")
def test_a_command_that_changed_nothing_after_all_is_told_too(konectom, people, file_of):
    people.patient(people.study("pilot"), "P-1")
    file = file_of(session_body())
    konectom("import", "--patient", "P-1", file)
    before = len(entries(konectom))
    konectom("import", "--patient", "P-1", file)
    (again,) = entries(konectom)[before:]
    assert (again["action"], again["change"]) == ("import", "event")


def test_the_list_narrows_and_the_table_is_short(konectom, people):
    one, two = people.study("one"), people.study("two")
    patient = people.patient(one, "P-1")
    assert {each["study"] for each in entries(konectom, "--study", "two")} == {str(two)}
    assert {each["patient"] for each in entries(konectom, "--patient", "P-1")} == {str(patient)}
    assert {each["patient"] for each in entries(konectom, "--patient", patient)} == {str(patient)}
    assert len(entries(konectom, "--last", 1)) == 1
    assert entries(konectom, "--since", "2126-01-01T00:00:00+00:00") == []
    assert "is no instant" in konectom("audit", "list", "--since", "yesterday", status=1).stderr
    assert konectom("audit", "list").stdout.splitlines()[0].startswith("seq")


def test_an_export_is_itself_an_entry(konectom, people, tmp_path):
    people.study("one")
    konectom("audit", "export", "-o", tmp_path / "audit.ndjson", "--study", "one")
    lines = [orjson.loads(line) for line in (tmp_path / "audit.ndjson").read_bytes().splitlines()]
    assert lines[-1]["action"] == "audit export"
    assert konectom("audit", "export", "--format", "csv").stdout.startswith("seq,at,")


def test_verify_says_what_is_wrong_and_where(konectom, people, services):
    people.study("one")
    people.study("two")
    anchor = konectom("audit", "anchor").stdout.strip()
    assert "2 entries, 2 rows: sound" in konectom("audit", "verify", "--rows", "--anchor", anchor).stdout
    with services.db.engine.begin() as connection:
        connection.execute(text("UPDATE audit SET actor_name = 'nobody' WHERE seq = 1"))
        connection.execute(text("UPDATE study SET name = 'x' WHERE code = 'two'"))
    refused = konectom("audit", "verify", "--rows", status=1)
    assert "entry 1 was changed" in refused.stderr
    assert "was changed without an entry" in refused.stderr
    assert "NOT SOUND" in refused.stderr
    assert konectom.json("audit", "verify", status=1)["faults"][0]["seq"] == 1
    assert "SEQ:SEAL" in konectom("audit", "verify", "--anchor", "12", status=1).stderr
