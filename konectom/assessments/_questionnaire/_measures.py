"""What is measured of a questionnaire as a whole and of each of its items, whatever it asks."""

from __future__ import annotations

from typing import Literal

from konectom.assessments._care import LONGEST_ANSWER_S
from konectom.assessments._questionnaire._items import Item
from konectom.assessments.base import CENTRE_AND_RANGE, Condition, Measure

LONGEST_S = 7200.0

RESPONSE = "Time from the item's appearance to its answer, each time that it was shown."
TOTAL = "Time from the item's appearance to its answer, summed over the times that it was shown."
SETTLED = "Time from the item's first appearance to its final answer."
CHANGE = "Difference of an answer from the one given when the item was shown before."
COUNT = "How often the item was shown and answered."

WHOLE = (
    Measure("answered_share", "%", "Items answered among all.", plausible=(0, 100)),
    Measure("changed_items", "1", "Items whose final answer is not the one first tapped.", plausible=(0, 100)),
    Measure(
        "item_time",
        "s",
        "Time from an item's appearance to its answer, over all items.",
        plausible=(0, LONGEST_ANSWER_S),
        statistics=CENTRE_AND_RANGE,
    ),
    Measure(
        "completion_time", "s", "Time from the first item's appearance to the last answer.", plausible=(0, LONGEST_S)
    ),
)


def item_measures(
    items: tuple[Item, ...], item: Condition, better: Literal["higher", "lower"], dispel: str, dispel_answer: str
) -> tuple[Measure, ...]:
    """Return the measures of each item; ``dispel`` names them in the published library, as of the questionnaire."""

    def alias(ending: str) -> dict[str, str]:
        return {"dispel": f"{dispel}-{ending}"} if dispel else {}

    answer = {"dispel": dispel_answer} if dispel_answer else alias("res")
    codes = [(each.first, each.first + len(each.points) - 1) for each in items]
    low, high = float(min(codes)[0]), float(max(code[1] for code in codes))
    time, width, by = (0.0, LONGEST_ANSWER_S), (low - high, high - low), (item,)
    spread = CENTRE_AND_RANGE
    return (
        Measure(
            "answer",
            "1",
            "The final answer, as coded.",
            better=better,
            plausible=(low, high),
            by=by,
            aliases=answer,
        ),
        Measure(
            "response_time", "s", RESPONSE, plausible=time, statistics=spread, by=by, aliases=alias("rt-{statistic}")
        ),
        Measure("total_response_time", "s", TOTAL, plausible=time, by=by, aliases=alias("rt-sum")),
        Measure("time_to_final_answer", "s", SETTLED, plausible=(0.0, LONGEST_S), by=by),
        Measure(
            "answer_change", "1", CHANGE, plausible=width, statistics=spread, by=by, aliases=alias("rc-{statistic}")
        ),
        Measure("answer_count", "1", COUNT, plausible=(1, 50), by=by, aliases=alias("count")),
    )
