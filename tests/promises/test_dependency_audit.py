"""The dependency audit fails for what is known and not judged, and never takes silence for an answer."""

import json
import runpy
from datetime import date
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "audit.py"
TODAY = date(2026, 11, 22)
FOUND = {"id": "PYSEC-2026-1", "aliases": ["GHSA-aaaa-bbbb-cccc", "CVE-2026-1"], "fix_versions": ["3.1.9"]}
SKIPPED = {"name": "numpy", "skip_reason": "Dependency not found on PyPI and could not be audited: numpy (2.3.0)"}


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def judged(script):
    return lambda *dependencies, **ignored: script["judged"](
        json.dumps({"dependencies": list(dependencies), "fixes": []}),
        {name.replace("_", "-"): each for name, each in ignored.items()},
        TODAY,
    )


def package(*found, name="flask"):
    return {"name": name, "version": "3.1.0", "vulns": list(found)}


def test_what_is_known_fails_the_build_and_is_named(judged):
    verdict = judged(package(FOUND), package(name="click"))
    assert verdict.failed
    assert verdict.lines[0] == "FOUND flask 3.1.0: PYSEC-2026-1 (mended in 3.1.9)"


def test_nothing_known_passes(judged):
    verdict = judged(package(), package(name="click"))
    assert not verdict.failed
    assert verdict.lines == ["dependency audit: 2 packages, nothing to mend"]


@pytest.mark.parametrize("name", ["PYSEC_2026_1", "GHSA_aaaa_bbbb_cccc", "CVE_2026_1"])
def test_what_was_judged_passes_under_any_of_its_names_until_its_day(judged, name):
    judgement = {"reason": "not called", "until": date(2026, 11, 22)}
    verdict = judged(package(FOUND), **{name: judgement})
    assert not verdict.failed
    assert "not called" in verdict.lines[0]
    assert judged(package(FOUND), **{name: judgement | {"until": date(2026, 11, 21)}}).failed


def test_a_judgement_that_nothing_needs_is_told(judged):
    verdict = judged(package(), CVE_2020_1={"reason": "x", "until": TODAY})
    assert not verdict.failed
    assert "strike it out" in verdict.lines[0]


@pytest.mark.parametrize("report", ["", "Traceback (most recent call last)", "{}", "null", '{"dependencies": []}'])
def test_a_source_that_does_not_answer_is_told(script, report):
    verdict = script["judged"](report, {}, TODAY)
    assert verdict == (["dependency audit: source not reachable, skipped"], False)


def test_a_mirror_that_knows_no_advisories_is_no_clean_bill(judged):
    """pip-audit ends with 0 where the index does not know a single package."""
    assert judged(SKIPPED).lines == ["dependency audit: source not reachable, skipped"]
    partly = judged(SKIPPED, package())
    assert "not known to the source, so not judged: 1 of 2" in partly.lines


def test_every_judgement_has_a_reason_and_an_end(script):
    import tomllib

    for name, judgement in tomllib.loads(script["IGNORED"].read_text()).items():
        assert len(judgement["reason"]) > 20, name
        assert isinstance(judgement["until"], date), name


def test_continuous_integration_runs_it():
    assert "audit" in (SCRIPT.parent / "run").read_text()
    assert ".ci/audit.py" in (SCRIPT.parents[1] / "Makefile").read_text()
