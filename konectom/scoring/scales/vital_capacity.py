"""Vital capacity, slow (SVC) and forced (FVC): litres, and per cent of what is predicted.

A percentage is worth nothing without the equations behind it: ``equation_set`` is required with one (GLI-2012, NHANES
III, Knudson 1983, ...). Equations for FVC are often used for SVC; the set is kept so that one is not taken for the
other. Values by different sets, or taken sitting and lying, are not to be put on one line.
"""

from __future__ import annotations

from konectom.errors import FieldMissing
from konectom.scoring.scales._units import LITRES, PERCENT
from konectom.scoring.scales.base import Component, Given, Outcome, Quantity, scale

POSSIBLE_L, PLAUSIBLE_L = (0.05, 12.0), (0.3, 8.0)
PLAUSIBLE_PERCENT = (10.0, 150.0)


def _components(loinc: str) -> tuple[Component, ...]:
    return (
        Component("volume", "Largest volume.", units=LITRES, possible=POSSIBLE_L, plausible=PLAUSIBLE_L, loinc=loinc),
        Component(
            "percent_predicted",
            "Largest volume, in per cent of the predicted one.",
            units=PERCENT,
            possible=(1.0, 250.0),
            plausible=PLAUSIBLE_PERCENT,
        ),
        Component("equation_set", "The equations of the prediction; required with per cent.", "text"),
        Component("position", "How the patient was placed.", "choice", choices=("sitting", "supine", "standing")),
    )


def _quantities(what: str, loinc: str) -> tuple[Quantity, ...]:
    return (
        Quantity("volume", "L", f"{what}.", better="higher", plausible=PLAUSIBLE_L, loinc=loinc),
        Quantity(
            "percent_predicted",
            "%",
            f"{what} in per cent of the predicted, by the equations that were named.",
            better="higher",
            plausible=PLAUSIBLE_PERCENT,
        ),
    )


FVC_LOINC = "19870-5"
SOURCE = "ATS/ERS standard of spirometry: Graham et al. 2019, Am J Respir Crit Care Med 200:e70-e88"


@scale(
    "svc",
    title="Slow vital capacity (SVC)",
    domain="performance",
    components=_components(""),
    quantities=_quantities("Slow vital capacity", ""),
    source=SOURCE,
)
def svc(given: Given, out: Outcome) -> None:
    """The most air that one can breathe out slowly."""
    _write(given, out)


@scale(
    "fvc",
    title="Forced vital capacity (FVC)",
    domain="performance",
    components=_components(FVC_LOINC),
    quantities=_quantities("Forced vital capacity", FVC_LOINC),
    source=SOURCE,
)
def fvc(given: Given, out: Outcome) -> None:
    """The most air that one can breathe out with force."""
    _write(given, out)


def _write(given: Given, out: Outcome) -> None:
    percent = given.number("percent_predicted")
    if percent is not None and "equation_set" not in given.texts:
        raise FieldMissing("a percentage needs the equations that predicted", at="/values/equation_set")
    out("volume", given.number("volume"))
    out("percent_predicted", percent)
