"""ALSFRS-R, the revised ALS functional rating scale: 12 functions, each from 0 (lost) to 4 (normal).

What the recording carries: answers to items 1 to 12, the points 0 to 4 themselves; see ``_answers.py``. Item 5 (cutting
food) has two variants, 5a without and 5b with a gastrostomy. An app sends the one that applies; where both were
answered, the condition ``gastrostomy`` (yes, no) says which counts. Without it they count only if they agree.

Scoring: the total is the sum, 0 to 48; bulbar (items 1 to 3), fine motor (4 to 6), gross motor (7 to 9) and respiratory
function (10 to 12) are sums of 0 to 12.

Missing items: a sum needs all of its items; no published rule for imputing them was found.

Source: the published definitions of Konectom (DISPEL 0.0.3, bdh/tasks/alsfrs), written afresh.
Deviations: items are found by number, not by place; both variants of item 5 count.
"""

from __future__ import annotations

import numpy as np

from konectom.assessments._answers import ANSWERS, Answers, read_answers
from konectom.assessments._care import QUALITY
from konectom.assessments._questionnaire import Item, Questionnaire, Scale, span
from konectom.assessments.base import Measure, Outcome, Rule, assessment, limited, technical
from konectom.recording import Recording

FUNCTION = (0.0, 1.0, 2.0, 3.0, 4.0)
NAMES = {
    "speech": "speech",
    "salivation": "salivation",
    "swallowing": "swallowing",
    "handwriting": "handwritting",
    "cutting_food": "cutting_food",
    "dressing_and_hygiene": "dressing_and_hygiene",
    "turning_in_bed": "turning_in_bed",
    "walking": "walking",
    "climbing_stairs": "climbing_stairs",
    "dyspnoea": "dyspnea",
    "orthopnoea": "orthopnea",
    "respiratory_insufficiency": "respiratory_insufficiency",
}
"""The items in order, each with its name in the published library."""

CUTTING, WITHOUT, WITH = "5", "5a", "5b"

FOUR_DOMAINS = (
    "J Neurol 2017, doi:10.1007/s00415-017-8538-4 (1,556 people with ALS): four domains, bulbar, fine motor, gross"
    " motor and respiratory function, fit the answers best"
)
DOMAIN = f"{FOUR_DOMAINS}, with dressing and turning in bed on both motor ones; here each item counts in one."
WHOLE = f"Definition: the scale's own sum of twelve items. {FOUR_DOMAINS}: follow them beside the sum."


def part(quantity: str, title: str, first: int, last: int, dispel: str = "") -> Scale:
    """Return the sum over consecutive items."""
    aliases = {"dispel": dispel} if dispel else {}
    evidence = WHOLE if quantity == "total" else DOMAIN
    return Scale(
        quantity, f"{title}.", span(first, last), form="sum", better="higher", aliases=aliases, evidence=evidence
    )


ALSFRS_R = Questionnaire(
    items=tuple(
        Item(str(n), name, FUNCTION, first=0, alias=alias) for n, (name, alias) in enumerate(NAMES.items(), start=1)
    ),
    scales=(
        part("total", "Function as a whole, 0 to 48", 1, 12, "alsfrs-total_score"),
        part("bulbar", "Bulbar function, 0 to 12", 1, 3),
        part("fine_motor", "Fine motor function, 0 to 12", 4, 6),
        part("gross_motor", "Gross motor function, 0 to 12", 7, 9),
        part("respiratory", "Respiratory function, 0 to 12", 10, 12),
    ),
    better="higher",
    best=4.0,
    dispel_answer="alsfrs-{item}_score",
)

VARIANT = Measure(
    "cut_with_gastrostomy",
    "1",
    "1 where item 5 was answered in its variant with a gastrostomy, 0 without.",
    plausible=(-0.5, 1.5),
)
UNCLEAR = Rule(
    "variant_unclear",
    technical,
    limited,
    "Two different answers came on cutting food. Please answer the one question that applies to you.",
)


@assessment(
    "alsfrs_r",
    version=1,
    title="ALS functional rating scale, revised (ALSFRS-R)",
    domain="patient-reported",
    inputs=(ANSWERS,),
    measures=(*ALSFRS_R.measures, VARIANT),
    quality=(*QUALITY, UNCLEAR),
    source="DISPEL 0.0.3 (MIT), bdh/tasks/alsfrs",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Say how well twelve functions go that ALS takes: speaking, swallowing, hands, legs, breathing."""
    answers = _one_variant(read_answers(recording), _gastrostomy(recording), out)
    if len(answers):
        _write_variant(answers, _gastrostomy(recording), out)
    ALSFRS_R.write(answers.renamed({WITHOUT: CUTTING, WITH: CUTTING}), out)


def _gastrostomy(recording: Recording) -> str:
    told = [part.condition["gastrostomy"] for part in recording.parts if "gastrostomy" in part.condition]
    return told[-1].strip().lower() if told else ""


def _one_variant(answers: Answers, gastrostomy: str, out: Outcome) -> Answers:
    """Return the answers without the variant of item 5 that does not apply; without both where that is unclear."""
    final = {name: answers.value[rows][-1] for name in (WITHOUT, WITH) if (rows := _answered(answers, name)).any()}
    if len(final) < 2:
        return answers
    unclear = gastrostomy not in ("yes", "no") and final[WITHOUT] != final[WITH]
    out.flag("variant_unclear", when=unclear, without_gastrostomy=final[WITHOUT], with_gastrostomy=final[WITH])
    dropped = (WITHOUT, WITH) if unclear else (WITHOUT,) if gastrostomy == "yes" else (WITH,)
    kept = answers.where(~np.isin(answers.item, dropped))
    return kept if gastrostomy in ("yes", "no") else kept.renamed({WITHOUT: CUTTING})


def _write_variant(answers: Answers, gastrostomy: str, out: Outcome) -> None:
    without, with_one = _answered(answers, WITHOUT).any(), _answered(answers, WITH).any()
    plain = _answered(answers, CUTTING).any() and gastrostomy in ("yes", "no")
    if without or with_one:
        out("cut_with_gastrostomy", float(with_one))
    elif plain:
        out("cut_with_gastrostomy", float(gastrostomy == "yes"))
    else:
        out.absent("cut_with_gastrostomy", "input_missing")


def _answered(answers: Answers, name: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    rows: np.ndarray[tuple[int], np.dtype[np.bool_]] = (answers.item == name) & np.isfinite(answers.value)
    return rows
