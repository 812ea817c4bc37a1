"""Everybody can read the pages: the contrast of what stands on what, in light and in dark (WCAG 2.2)."""

import re

import pytest

from konectom.dashboard.blueprint import SHEET

CSS = re.sub(r"/\*.*?\*/", "", SHEET.read_text(), flags=re.DOTALL)

TEXT = 4.5
"""1.4.3, for text of any size."""

PARTS = 3.0
"""1.4.11, for what shows where a field or the focus is."""

PAIRS = [
    *((ink, ground, TEXT) for ink in ("ink", "quiet", "accent") for ground in ("ground", "sheet")),
    ("on-accent", "accent", TEXT),
    ("wrong", "wrong-ground", TEXT),
    ("done", "done-ground", TEXT),
    *((edge, ground, PARTS) for edge in ("edge", "focus", "wrong") for ground in ("ground", "sheet")),
]


def colours(which):
    """The colours by name, as they are in light, or in dark."""
    blocks = [
        dict(re.findall(r"--([\w-]+):\s*#([0-9a-f]{6})", block)) for block in re.findall(r":root {(.*?)}", CSS, re.S)
    ]
    light, dark = blocks
    assert set(light) == set(dark)
    return light if which == "light" else dark


def luminance(colour):
    """Relative luminance (WCAG 2.2, definitions)."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("which", ["light", "dark"])
@pytest.mark.parametrize(("above", "below", "least"), PAIRS)
def test_what_stands_on_what_can_be_told_apart(which, above, below, least):
    found = colours(which)
    bright, dim = sorted((luminance(found[name]) for name in (above, below)), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= least


def test_a_page_on_a_phone_is_as_wide_as_the_phone():
    """Nothing is wider than what it stands in, and what can be touched is at least 24 px high (2.5.8)."""
    wide = [float(number) for number in re.findall(r"(?<!max-)(?<!min-)\bwidth:\s*([\d.]+)rem", CSS)]
    assert max(wide) <= 13.0  # of 320 px, with margins
    assert "overflow-wrap: break-word" in CSS
    low = re.findall(r"min-height:\s*([\d.]+)rem", CSS)
    assert low
    assert min(map(float, low)) * 16 >= 24


def test_the_style_loads_nothing_and_is_given_with_a_name_that_changes_with_it(browser):
    assert not re.search(r"url\(|@import|expression", CSS)
    browser.open("/login")
    address = next(each["href"] for each in browser.page.all("link") if each["rel"] == "stylesheet")
    assert re.fullmatch(r"/assets/konectom\.css\?v=[0-9a-f]{12}", address)
    answer = browser.open(address)
    assert (answer.status_code, answer.mimetype) == (200, "text/css")
    assert "max-age=3600" in answer.headers["Cache-Control"]
    assert answer.get_data() == SHEET.read_bytes()


def test_the_focus_is_seen():
    assert re.search(r":focus-visible { outline: 3px solid var\(--focus\)", CSS)
    assert "outline: none" not in CSS
    assert "outline: 0" not in CSS
