"""The units in which clinical values may come, by their UCUM code, each with its factor to the unit that is kept.

``kg`` and ``lb`` stand for forces on dynamometers, where they mean the weight of that mass under standard gravity
(UCUM: kgf and [lbf_av]).
"""

from __future__ import annotations

from konectom.recording import STANDARD_GRAVITY_MPS2

POUND_KG = 0.45359237
FOOT_M = 0.3048

ONE = {"1": 1.0}
SECONDS = {"s": 1.0, "ms": 0.001, "min": 60.0}
METRES = {"m": 1.0, "cm": 0.01, "km": 1000.0, "[ft_i]": FOOT_M}
LITRES = {"L": 1.0, "l": 1.0, "mL": 0.001, "ml": 0.001}
MILLILITRES = {"mL": 1.0, "ml": 1.0, "cm3": 1.0, "mm3": 0.001, "L": 1000.0, "l": 1000.0}
PERCENT = {"%": 1.0}
PICOGRAMS_PER_ML = {"pg/mL": 1.0, "pg/ml": 1.0, "ng/L": 1.0, "ng/l": 1.0, "ng/mL": 1000.0, "ng/ml": 1000.0}
KILOGRAMS = {
    "kg": 1.0,
    "kgf": 1.0,
    "N": 1.0 / STANDARD_GRAVITY_MPS2,
    "lb": POUND_KG,
    "[lbf_av]": POUND_KG,
}
NEWTONS = {"N": 1.0} | {unit: factor * STANDARD_GRAVITY_MPS2 for unit, factor in KILOGRAMS.items() if unit != "N"}
