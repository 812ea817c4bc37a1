"""Neuro-QoL in thirteen domains, entered as T-score, as theta, or as a raw score.

T = 50 + 10 theta: 50 is the mean of the reference population, 10 its standard deviation. A higher score is more of
what the domain is called. Tables from raw scores to T-scores are copyrighted (healthmeasures.net) and not here: a raw
score is kept as it is and gives no T-score.
"""

from __future__ import annotations

from typing import Literal

from konectom.assessments.neuroqol import CUTS, FUNCTIONS, SYMPTOMS
from konectom.scoring.scales.base import Component, Given, Notice, Outcome, Quantity, scale

BETTER = (*FUNCTIONS, "positive_affect_well_being", "communication")
DOMAINS = (*BETTER, *SYMPTOMS, "emotional_behavioral_dyscontrol")
T_RANGE, RAW_RANGE = (0.0, 100.0), (0.0, 200.0)
ROUNDING = 0.1


def _components(name: str) -> tuple[Component, ...]:
    return (
        Component(name, "T-score.", possible=T_RANGE, plausible=(15.0, 90.0)),
        Component(f"{name}_theta", "Theta, in standard deviations.", possible=(-5.0, 5.0)),
        Component(f"{name}_raw", "Raw score of a short form.", possible=RAW_RANGE),
    )


def _quantities(name: str) -> tuple[Quantity, Quantity]:
    better: Literal["higher", "lower"] = "higher" if name in BETTER else "lower"
    means = "Standing: 50 is the mean of the reference population, 10 its standard deviation."
    t = Quantity(name, "1", means, better=better, plausible=(15.0, 90.0), evidence=CUTS)
    raw = Quantity(f"{name}_raw", "1", "Raw score.", better=better, plausible=RAW_RANGE, score=False)
    return t, raw


@scale(
    "neuroqol",
    title="Quality of life in neurological disorders (Neuro-QoL)",
    domain="patient-reported",
    components=(
        *(each for name in DOMAINS for each in _components(name)),
        Component("form", "The form: which short form, or adaptive.", "text"),
    ),
    quantities=tuple(each for name in DOMAINS for each in _quantities(name)),
    notices=(Notice("t_score_disagrees", "The T-score is not 50 + 10 theta. It stands as given."),),
    source="healthmeasures.net, Neuro-QoL scoring",
    licence="Copyrighted; electronic use needs a permission.",
)
def neuroqol(given: Given, out: Outcome) -> None:
    """Thirteen parts of life with a neurological disorder."""
    for name in DOMAINS:
        told, theta, raw = (given.number(each) for each in (name, f"{name}_theta", f"{name}_raw"))
        computed = None if theta is None else 50.0 + 10.0 * theta
        out(name, computed if told is None else told, "not_given" if raw is None else "no_conversion")
        out(f"{name}_raw", raw)
        differ = told is not None and computed is not None and abs(told - computed) > ROUNDING
        out.flag("t_score_disagrees", when=differ, of=name, t_score=told, computed=computed)
