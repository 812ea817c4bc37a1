"""``konectom doctor`` on an installation: what it prints, and with which status it ends."""

import pytest

from konectom.workflows.checkup import CHECKS, FINDINGS


@pytest.mark.embedded  # the tests' own PostgreSQL survives no power cut, and is told so
def test_a_sound_installation(konectom):
    told = konectom("doctor").stdout
    for check in CHECKS:
        assert check.name in told
    assert "mode_development" in told
    assert FINDINGS["mode_development"].remedy in told


@pytest.mark.embedded  # for the same reason
def test_json_is_for_programs(konectom):
    told = konectom.json("doctor", "--quick")
    assert told["status"] == "warning"
    assert [each["name"] for each in told["checks"]] == [check.name for check in CHECKS]
    for each in told["findings"]:
        assert set(each) == {"severity", "code", "told", "do"}
        assert each["severity"] == FINDINGS[each["code"]].severity == "warning"


def test_what_is_wrong_now_is_an_exit_status(konectom, settings):
    (settings.data_dir / "keys.json").unlink()
    told = konectom.json("doctor", status=1)
    assert told["status"] == "error"
    assert "keys_unusable" in {each["code"] for each in told["findings"]}
    assert "-> " in konectom("doctor", status=1).stdout


def test_where_nothing_is_set_up(offline):
    told = offline.json("doctor", status=1)
    assert "database_missing" in {each["code"] for each in told["findings"]}
    assert "skipped" in {each["status"] for each in told["checks"]}
