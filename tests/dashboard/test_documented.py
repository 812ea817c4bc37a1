"""docs/sign-in.md says what is so."""

import re
from pathlib import Path

from konectom.dashboard import cookies, oidc, sign_in
from konectom.settings import SETTINGS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "sign-in.md").read_text()


def test_every_setting_that_it_names_exists_and_those_of_a_provider_are_all_named():
    named = set(re.findall(r"KONECTOM_[A-Z_]+", PAGE))
    known = {each.variable for each in SETTINGS}
    assert named <= known
    assert {name for name in known if "OIDC" in name} | {"KONECTOM_PUBLIC_URL", "KONECTOM_LOGIN_IDLE"} <= named


def test_the_addresses_are_those_of_the_pages(app):
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    named = {each for each in re.findall(r"`(?:https://konectom\.example\.org)?(/[a-z/-]+)`", PAGE) if each != "/"}
    assert "/login/oidc/callback" in named
    assert named <= rules


def test_the_cookies_are_those_that_browsers_get():
    lifetimes = dict(re.findall(r"^\| `(__Host-[\w-]+)` \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE))
    assert set(lifetimes) == {f"__Host-{name}" for name in (cookies.LOGIN, cookies.FORM, cookies.STEP, cookies.FLOW)}
    minutes = {name: told for name, told in lifetimes.items() if "minutes" in told}
    assert minutes == {
        f"__Host-{cookies.STEP}": f"{sign_in.STEP_LIFETIME.total_seconds() / 60:.0f} minutes",
        f"__Host-{cookies.FLOW}": f"{sign_in.FLOW_LIFETIME.total_seconds() / 60:.0f} minutes",
    }


def test_what_counts_as_a_second_factor_is_told():
    told = r"has `(\w+)`, or [^(]*\(([^)]*)\) together with[^(]*\(([^)]*)\)"
    several, possessions, others = re.search(told, PAGE).groups()
    assert several == oidc.SEVERAL_FACTORS
    assert set(re.findall(r"`(\w+)`", possessions)) == oidc.POSSESSIONS
    assert set(re.findall(r"`(\w+)`", others)) == oidc.KNOWLEDGE_OR_BODY
