"""Questionnaires as data: items with their answers and points, scales over them, and what to do where one is missing.

A questionnaire's file declares a :class:`Questionnaire`; from it follow the measures and all of the computing. No
wording of an item is kept here or there, only numbers and neutral names.

Each item gives: its final answer; how often it was answered (once each time that it was shown, however often another
answer was tapped before going on); how long each of these answers took; by how much they differ. A scale is the sum of
the points of its items, or their mean stretched to 0 to 100. It needs all of its items, or the share ``least`` where a
published rule allows that; the others then count as the mean of those answered.

Source of the measures of each item: the published definitions of Konectom (DISPEL 0.0.3, generic/surveys), written
afresh. Deviations: an item's time runs from its own appearance, in whatever format it came; the time to the final
answer is positive; answers are told apart by the number of the item, not by their place in the file; a question that
was shown but not answered does not count as answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from konectom.assessments._answers import Answers, read_answers
from konectom.assessments._care import FASTEST_S, flag_straight_line, flag_too_fast
from konectom.assessments._questionnaire._items import Item, Scale, numbered, span
from konectom.assessments._questionnaire._measures import WHOLE, item_measures
from konectom.assessments.base import Condition, Measure, Outcome
from konectom.recording import FloatArray, Recording

__all__ = ["Item", "Questionnaire", "Scale", "numbered", "span"]


@dataclass(frozen=True)
class Questionnaire:
    """Items and scales. ``dispel`` names an item in the published library, ``dispel_answer`` its answer alone.

    ``best`` is the number of points that says "no problem": a patient without any may rightly give it to each item.
    """

    items: tuple[Item, ...]
    scales: tuple[Scale, ...]
    better: Literal["higher", "lower"]
    best: float
    fastest_s: float = FASTEST_S
    dispel: str = ""
    dispel_answer: str = ""

    @cached_property
    def item(self) -> Condition:
        """Return the condition whose levels are the items."""
        names = tuple(item.name for item in self.items)
        return Condition(
            "item", names, aliases={"dispel": tuple(item.alias or item.name for item in self.items)}, means="The item."
        )

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """Return the measures of the scales, of the questionnaire as a whole, and of each item."""
        each = item_measures(self.items, self.item, self.better, self.dispel, self.dispel_answer)
        return (*map(self._scale_measure, self.scales), *WHOLE, *each)

    def _scale_measure(self, scale: Scale) -> Measure:
        return Measure(
            scale.quantity,
            "1",
            scale.means,
            better=scale.better,
            plausible=self._range(scale),
            score=scale.score,
            aliases=scale.aliases,
            evidence=scale.evidence,
        )

    def _range(self, scale: Scale) -> tuple[float, float]:
        low, high = self._points_of(scale) if scale.form == "sum" else (0.0, 0.0)
        return (low * len(scale.items), high * len(scale.items)) if scale.form == "sum" else (0.0, 100.0)

    def _points_of(self, scale: Scale) -> tuple[float, float]:
        points = self.items[self._places[scale.items[0]]].points
        return min(points), max(points)

    @cached_property
    def _places(self) -> dict[str, int]:
        by_name = {item.name: place for place, item in enumerate(self.items)}
        return by_name | {item.number: place for place, item in enumerate(self.items)}

    def extract(self, recording: Recording, out: Outcome) -> None:
        """Write every measure of a recording of this questionnaire."""
        self.write(read_answers(recording), out)

    def write(self, answers: Answers, out: Outcome) -> None:
        """Write every measure of the answers."""
        answers = self._offered(answers, out)
        if not len(answers):
            out.flag("no_data")
            out.rest_absent("no_data")
            return
        taps, answers = answers, answers.where(answers.settled())
        early = int(np.count_nonzero(answers.t_s < answers.shown_at_s))
        out.flag("time_disorder", when=early > 0, answers_before_item=early)
        points = self._write_items(answers, out)
        self._write_whole(taps, answers, out)
        scored = self._write_scales(points, out)
        missing = [item.number for item, known in zip(self.items, np.isfinite(points), strict=True) if not known]
        out.flag("not_scored", when=not scored, unanswered=len(missing))
        out.flag("incomplete", when=bool(missing) and scored, unanswered=len(missing), items=missing[:20])
        fast = flag_too_fast(answers.response_s, self.fastest_s, out)
        flag_straight_line(points, self.best, fast, out)
        out.rest_absent("not_answered")

    def _offered(self, answers: Answers, out: Outcome) -> Answers:
        """Return the answers that the questions offer, their items under our names; flag the others."""
        answered = answers.where(np.isfinite(answers.value) | np.isinf(answers.value))
        places = np.array([self._places.get(name, -1) for name in answered.item.tolist()], dtype=np.intp)
        strange = sorted(set(answered.item[places < 0].tolist()))
        out.flag("unknown_item", when=bool(strange), items=[name[:40] for name in strange[:20]])
        known, places = answered.where(places >= 0), places[places >= 0]
        offered = np.array(
            [self.items[place].offers(value) for place, value in zip(places, known.value.tolist(), strict=True)],
            dtype=np.bool_,
        )
        wrong = [self.items[place].number for place in places[~offered]]
        out.flag("answer_out_of_range", when=bool(wrong), answers=len(wrong), items=sorted(set(wrong))[:20])
        names = np.array([self.items[place].name for place in places], dtype=np.str_)
        return Answers(names, known.value, known.t_s, known.shown_at_s).where(offered)

    def _write_items(self, answers: Answers, out: Outcome) -> FloatArray:
        """Write the measures of each answered item; return the points of each item, NaN where it has none."""
        points = np.full(len(self.items), np.nan)
        rows_of = _rows_by_item(answers.item)
        response_s = answers.response_s
        for place, item in enumerate(self.items):
            rows = rows_of.get(item.name)
            if rows is None:
                continue
            value = answers.value[rows]
            points[place] = item.points[int(value[-1]) - item.first]
            at = out.at(item=item.name)
            at("answer", value[-1])
            at("answer_count", rows.size)
            at("answer_change", np.diff(value))
            if np.isfinite(answers.t_s[rows] - answers.shown_at_s[rows]).any():
                took_s = response_s[rows]
                at("response_time", took_s)
                at("total_response_time", np.nansum(took_s) if np.isfinite(took_s).any() else np.nan)
                settled_s = np.fmax.reduce(answers.t_s[rows]) - np.fmin.reduce(answers.shown_at_s[rows])
                at("time_to_final_answer", settled_s if settled_s >= 0 else np.nan)
            else:
                for quantity in ("response_time", "total_response_time", "time_to_final_answer"):
                    at.absent(quantity, "input_missing")
        return points

    def _write_whole(self, taps: Answers, answers: Answers, out: Outcome) -> None:
        rows_of = _rows_by_item(taps.item)
        out("answered_share", 100.0 * len(rows_of) / len(self.items))
        changed = [taps.value[rows[0]] != taps.value[rows[-1]] for rows in rows_of.values()]
        out("changed_items", np.count_nonzero(changed))
        if not np.isfinite(answers.t_s - answers.shown_at_s).any():
            out.absent("item_time", "input_missing")
            out.absent("completion_time", "input_missing")
            return
        out("item_time", answers.response_s)
        took_s = float(np.fmax.reduce(answers.t_s) - np.fmin.reduce(answers.shown_at_s))
        out("completion_time", took_s if took_s >= 0 else np.nan)

    def _write_scales(self, points: FloatArray, out: Outcome) -> bool:
        """Write each scale that the answers allow; tell whether there was one."""
        scored = self.score(points)
        for quantity, (value, imputed) in scored.items():
            out.flag("items_imputed", when=imputed > 0, scale=quantity, items=imputed)
            if np.isfinite(value):
                out(quantity, value)
            else:
                out.absent(quantity, "not_answered")
        return any(np.isfinite(value) for value, _ in scored.values())

    def score(self, points: FloatArray) -> dict[str, tuple[float, int]]:
        """Return each scale's value and how many of its items were imputed.

        ``points`` has shape (items,), NaN where an item is without an answer; so is the value where too many are.
        """
        scored: dict[str, tuple[float, int]] = {}
        for scale in self.scales:
            value, imputed = np.nan, 0
            if scale.mean_of:
                value = float(np.mean([scored[name][0] for name in scale.mean_of]))
            else:
                held = points[[self._places[number] for number in scale.items]]
                known = np.isfinite(held)
                if known.any() and known.mean() >= scale.least:
                    value = self._value(scale, float(held[known].mean()))
                    imputed = int(np.count_nonzero(~known))
            scored[scale.quantity] = value, imputed
        return scored

    def _value(self, scale: Scale, mean: float) -> float:
        if scale.form == "sum":
            return mean * len(scale.items)
        low, high = self._points_of(scale)
        return 100.0 * (mean - low) / (high - low)


def _rows_by_item(item: NDArray[np.str_]) -> dict[str, NDArray[np.intp]]:
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(item.tolist()):
        rows.setdefault(name, []).append(row)
    return {name: np.array(held, dtype=np.intp) for name, held in rows.items()}
