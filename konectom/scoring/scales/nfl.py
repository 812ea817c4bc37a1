"""NfL, neurofilament light: concentration in plasma, serum or cerebrospinal fluid, in pg/mL.

Plasma, serum and cerebrospinal fluid are different quantities, and so are values of different assays: the assay is
kept, and where it is not told a notice says so.
"""

from __future__ import annotations

from konectom.scoring.scales._units import PICOGRAMS_PER_ML
from konectom.scoring.scales.base import Component, Given, Notice, Outcome, Quantity, scale

PLAUSIBLE = {"plasma": (1.0, 500.0), "serum": (1.0, 500.0), "csf": (50.0, 30_000.0)}
NAMES = {"plasma": "plasma", "serum": "serum", "csf": "cerebrospinal fluid"}


@scale(
    "nfl",
    title="Neurofilament light (NfL)",
    domain="laboratory",
    components=(
        *(
            Component(
                name,
                f"Concentration in {NAMES[name]}.",
                units=PICOGRAMS_PER_ML,
                possible=(0.01, 1_000_000.0),
                plausible=plausible,
            )
            for name, plausible in PLAUSIBLE.items()
        ),
        Component("assay", "The assay, with its platform.", "text"),
    ),
    quantities=tuple(
        Quantity(name, "pg/mL", f"Concentration in {NAMES[name]}.", better="lower", plausible=plausible)
        for name, plausible in PLAUSIBLE.items()
    ),
    notices=(Notice("assay_unknown", "The assay is not told. Values of different assays cannot be compared."),),
    source="Measured concentration; no scoring rule",
)
def nfl(given: Given, out: Outcome) -> None:
    """A protein that damaged axons set free."""
    for name in PLAUSIBLE:
        out(name, given.number(name))
    out.flag("assay_unknown", when="assay" not in given.texts)
