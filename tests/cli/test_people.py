"""Studies, patients, devices and users from the command line."""

from uuid import UUID

import pytest


def test_studies_are_made_and_listed(konectom):
    made = konectom.json("study", "create", "pilot", "--name", "A pilot")
    assert (made["code"], made["name"]) == ("pilot", "A pilot")
    assert konectom.json("study", "list") == [made]
    assert made["id"] in konectom("study", "list").stdout


def test_a_code_that_is_taken_is_refused(konectom):
    konectom("study", "create", "pilot")
    assert "already_exists" in konectom("study", "create", "pilot", status=1).stderr
    assert len(konectom.json("study", "list")) == 1


def test_more_studies_than_a_page_holds_are_all_listed(konectom, people):
    konectom.environ["KONECTOM_PAGE_SIZE"] = konectom.environ["KONECTOM_PAGE_SIZE_MAX"] = "2"
    codes = sorted(f"S{number}" for number in range(5))
    for code in codes:
        people.study(code)
    assert [row["code"] for row in konectom.json("study", "list")] == codes


def test_patients_carry_what_norms_use(konectom):
    study = konectom.json("study", "create", "pilot")
    words = ("--birth-year", 1980, "--sex", "female", "--height-m", 1.7, "--handedness", "right")
    made = konectom.json("patient", "create", "P1", "--study", "pilot", *words)
    assert (made["study"], made["birth_year"], made["height_m"]) == (study["id"], 1980, 1.7)
    assert konectom.json("patient", "list", "--study", study["id"]) == [made]


def test_a_study_that_does_not_exist_is_told(konectom):
    assert "no study 'none'" in konectom("patient", "create", "P1", "--study", "none", status=1).stderr


@pytest.mark.parametrize("name", ["nonsense", "7c9e6679-7425-40de-944b-e07fc1f90ae7"])
def test_revoking_what_does_not_exist_is_refused(konectom, name):
    konectom("token", "revoke", name, status=1)


def test_a_code_of_two_studies_needs_the_study(konectom, people):
    one, two = people.study("one"), people.study("two")
    people.patient(one, "P1")
    wanted = people.patient(two, "P1")
    assert "--study" in konectom("device", "enrol", "--patient", "P1", status=1).stderr
    made = konectom.json("device", "enrol", "--patient", "P1", "--study", "two")
    assert UUID(made["patient"]) == wanted


def test_a_patient_is_made_at_a_site(konectom):
    konectom("study", "create", "pilot")
    site = konectom.json("site", "create", "N", "--study", "pilot")
    made = konectom.json("patient", "create", "P1", "--study", "pilot", "--site", "N")
    assert made["site"] == site["id"]
    assert "no site" in konectom("patient", "create", "P2", "--study", "pilot", "--site", "S", status=1).stderr


def test_the_terms_of_a_study_are_changed(konectom):
    konectom("study", "create", "pilot")
    words = ("--retain-until", "2041-12-31", "--consent", "elsewhere", "--reason", "protocol 3")
    changed = konectom.json("study", "edit", "pilot", *words)
    assert (changed["retain_until"], changed["consent"]) == ("2041-12-31", "elsewhere")
    assert konectom.json("study", "list") == [changed]
