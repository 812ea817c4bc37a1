"""MRI of the brain in multiple sclerosis: counts and volumes, as a reader or a program found them.

New and enlarging T2 lesions are counted against an earlier scan: its date belongs with them. Volumes of different
programs cannot be compared; the program is kept.
"""

from __future__ import annotations

from konectom.scoring.scales._units import MILLILITRES, PERCENT
from konectom.scoring.scales.base import Component, Given, Notice, Outcome, Quantity, scale

COUNT = (0.0, 1000.0)
COUNTS = {
    "t2_lesions": ("T2 lesions.", 300.0),
    "new_t2_lesions": ("New T2 lesions since the earlier scan.", 60.0),
    "enlarging_t2_lesions": ("Enlarging T2 lesions since the earlier scan.", 60.0),
    "new_or_enlarging_t2_lesions": ("New and enlarging T2 lesions since the earlier scan.", 80.0),
    "gd_lesions": ("Lesions that take up gadolinium.", 60.0),
}
VOLUMES = {
    "t2_lesion_volume": ("Volume of T2 lesions.", (0.0, 400.0), (0.0, 150.0), "lower"),
    "brain_volume": ("Volume of the brain.", (300.0, 2500.0), (800.0, 1900.0), "higher"),
}
CHANGE = Component(
    "brain_volume_change",
    "Change of the brain's volume since the earlier scan.",
    units=PERCENT,
    possible=(-50.0, 50.0),
    plausible=(-5.0, 3.0),
)


@scale(
    "mri",
    title="MRI of the brain",
    domain="imaging",
    components=(
        *(
            Component(name, means, "whole", possible=COUNT, plausible=(0.0, most))
            for name, (means, most) in COUNTS.items()
        ),
        *(
            Component(name, means, units=MILLILITRES, possible=possible, plausible=plausible)
            for name, (means, possible, plausible, _) in VOLUMES.items()
        ),
        CHANGE,
        Component("compared_with", "The date of the earlier scan.", "date"),
        Component("method", "Who or which program measured.", "text"),
    ),
    quantities=(
        *(Quantity(name, "1", means, better="lower", plausible=(0.0, most)) for name, (means, most) in COUNTS.items()),
        Quantity("t2_lesion_volume", "mL", "Volume of T2 lesions.", better="lower", plausible=(0.0, 150.0)),
        Quantity("brain_volume", "mL", "Volume of the brain.", better="higher", plausible=(800.0, 1900.0)),
        Quantity("brain_volume_change", "%", CHANGE.means, better="higher", plausible=(-5.0, 3.0)),
    ),
    notices=(
        Notice("earlier_scan_unknown", "Changes are told, but not since which scan."),
        Notice("lesions_disagree", "New and enlarging lesions are not the sum of both. The sum counts."),
    ),
    source="Counted and measured; no scoring rule",
)
def mri(given: Given, out: Outcome) -> None:
    """Lesions and volume of the brain."""
    for name in (*COUNTS, *VOLUMES, CHANGE.name):
        out(name, given.number(name))
    both = given.those("new_t2_lesions", "enlarging_t2_lesions")
    told = given.number("new_or_enlarging_t2_lesions")
    if len(both) == 2:
        out("new_or_enlarging_t2_lesions", sum(both))
        out.flag("lesions_disagree", when=told is not None and told != sum(both), given=told, sum=sum(both))
    changes = (*both, *given.those("new_or_enlarging_t2_lesions", CHANGE.name))
    out.flag("earlier_scan_unknown", when=bool(changes) and "compared_with" not in given.dates)
