"""PDDS, Patient Determined Disease Steps: one answer, 0 (normal) to 8 (bedridden).

Source: Hohol et al. 1995, Neurology 45:251-255 (Disease Steps); Learmonth et al. 2013, BMC Neurol 13:37 (PDDS).
"""

from __future__ import annotations

from konectom.scoring.scales.base import Component, Given, Outcome, Quantity, scale

STEPS = (0.0, 8.0)


@scale(
    "pdds",
    title="Patient Determined Disease Steps (PDDS)",
    domain="patient-reported",
    components=(Component("step", "The step, 0 to 8.", "whole", possible=STEPS, required=True),),
    quantities=(Quantity("step", "1", "Disability as the patient puts it, 0 to 8.", better="lower", plausible=STEPS),),
    source="Learmonth et al. 2013, BMC Neurol 13:37",
    licence="Permission is asked for its use; the wording is not here.",
)
def pdds(given: Given, out: Outcome) -> None:
    """Disability in multiple sclerosis in one answer."""
    out("step", given.number("step"))
