"""Passive monitoring: the phone's pedometer over a day, minute by minute.

What the recording carries: event ``pedometer``, one for each interval (a minute), with ``t`` and ``end_at`` (s, its
begin and end; a minute where no end is told), ``steps``, and where the phone tells them ``distance_m`` and
``pace_s_per_m``, the average pace while active (none in an interval without walking). Intervals in which nothing
happened come too: they show that the phone was watching.

Source: the published definitions of Konectom (DISPEL 0.0.3, ads/tasks/passive), written afresh.
Deviations: the pace is in seconds per metre, as the files declare it and the phone defines it, not in seconds per step;
active time is the length of the active intervals, which for minutes is their number; an interval that was sent twice
counts once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konectom.assessments.base import (
    CENTRE_AND_RANGE,
    Measure,
    Outcome,
    Rule,
    assessment,
    behavioural,
    clinician,
    events,
    limited,
    noted,
    technical,
)
from konectom.recording import FloatArray, Recording

INTERVALS = events("pedometer", ("steps",), means="Steps in each interval, with its end, distance and pace.")

CADENCE = "Steps per minute in active intervals."
PEAK = "Mean steps per minute of the 30 busiest minutes, which need not follow one another."
PACE = "Seconds per metre while active, in each active interval."
STEPS_IN_MS = (
    "Block et al. 2019, JAMA Netw Open, doi:10.1001/jamanetworkopen.2019.0570 (95 people with MS, one year: fewer daily"
    " steps went with worse walking tests)"
)
PEAK_30 = "Tudor-Locke et al. 2012, J Phys Act Health 9:1125-1129 (3,522 adults)"
LIBRARY = "Definition: DISPEL 0.0.3 (MIT), ads/tasks/passive"
WITH_P95 = (*CENTRE_AND_RANGE, "p95")

MEASURES = (
    Measure(
        "steps",
        "1",
        "Steps counted.",
        better="higher",
        plausible=(0, 60000),
        score=True,
        aliases={"dispel": "passive-steps"},
        evidence=f"{STEPS_IN_MS}.",
    ),
    Measure(
        "active_duration",
        "min",
        "Time in intervals with walking.",
        better="higher",
        plausible=(0, 1440),
        score=True,
        aliases={"dispel": "passive-active_duration"},
        evidence=f"{LIBRARY}, as the number of minutes with a pace.",
    ),
    Measure("peak_30_cadence", "/min", PEAK, better="higher", plausible=(0, 250), score=True, evidence=f"{PEAK_30}."),
    Measure(
        "active_pace",
        "s/m",
        PACE,
        better="lower",
        plausible=(0.1, 60),
        statistics=WITH_P95,
        score=("median",),
        aliases={"dispel": "passive-avg_act_pace-{statistic}"},
        evidence=f"{LIBRARY}, in the unit in which the phone's pedometer tells it.",
    ),
    Measure(
        "cadence",
        "/min",
        CADENCE,
        better="higher",
        plausible=(0, 250),
        statistics=WITH_P95,
        score=("p95",),
        evidence=f"konectom's own definition; near to the peak cadence of {PEAK_30}, and can be had of fewer minutes.",
    ),
    Measure("distance", "m", "Distance walked, as the phone estimates it.", better="higher", plausible=(0, 60000)),
    Measure("observed", "h", "Time covered by intervals, with or without steps.", plausible=(0, 24.1)),
)

MINUTE_S, HOUR_S, BUSIEST = 60.0, 3600.0, 30
LEAST_OBSERVED_H = 4.0
"""Floodlight counts a day from 4 hours of passive monitoring on (PubMed 34259588)."""

MOST_MISSING = 0.1

QUALITY = (
    Rule(
        "short_observation",
        behavioural,
        limited,
        "Less than four hours were recorded. Please keep the phone with you during the day.",
    ),
    Rule("no_steps", behavioural, limited, "No steps were counted. Please carry the phone with you during the day."),
    Rule("gaps", technical, limited, "Parts of the day were not recorded. Please let the app run in the background."),
    Rule(
        "interval_repeated", technical, noted, "Some minutes were sent more than once. They count once.", to=clinician
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Intervals in the order of time, shape (n,) each; NaN where the phone told nothing. ``pace`` is in s/m."""

    t_s: FloatArray
    lasted_s: FloatArray
    steps: FloatArray
    distance_m: FloatArray | None
    pace: FloatArray | None

    @property
    def active(self) -> NDArray[np.bool_]:
        """Return which intervals had walking in them: a pace, or steps where the phone tells no pace."""
        return np.isfinite(self.pace) if self.pace is not None else self.steps > 0


@assessment(
    "passive",
    version=1,
    title="Passive monitoring",
    domain="mobility",
    inputs=(INTERVALS,),
    measures=MEASURES,
    quality=QUALITY,
    source="DISPEL 0.0.3 (MIT), ads/tasks/passive",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Carry the phone through the day; it counts steps, minute by minute."""
    held = _intervals(recording, out)
    if not held.t_s.size:
        out.flag("no_data")
        out.rest_absent("no_data")
        return
    active = held.active
    out("steps", held.steps.sum())
    out("active_duration", held.lasted_s[active].sum() / MINUTE_S)
    per_minute = held.steps / held.lasted_s * MINUTE_S
    out("cadence", per_minute[active])
    if held.lasted_s.max() > MINUTE_S * 1.5 or held.steps.size < BUSIEST:
        out.absent("peak_30_cadence", "too_few_values")  # longer intervals hide the busiest minutes
    else:
        out("peak_30_cadence", np.sort(per_minute)[-BUSIEST:].mean())
    for quantity, values in (("active_pace", held.pace), ("distance", held.distance_m)):
        if values is None:
            out.absent(quantity, "input_missing")
        else:
            out(quantity, values if quantity == "active_pace" else np.nansum(values))
    observed_s, span_s = held.lasted_s.sum(), float(np.max(held.t_s + held.lasted_s) - held.t_s[0])
    out("observed", observed_s / HOUR_S)
    out.flag("short_observation", when=observed_s < LEAST_OBSERVED_H * HOUR_S, hours=round(observed_s / HOUR_S, 2))
    out.flag("no_steps", when=not held.steps.any())
    missing = 1.0 - observed_s / span_s if span_s > 0 else 0.0  # so late that its length is lost in rounding
    out.flag("gaps", when=missing > MOST_MISSING, share=round(missing, 3))


def _intervals(recording: Recording, out: Outcome) -> Intervals:
    """Return the intervals of all parts whose steps are known, each once."""
    tables = [part.events["pedometer"] for part in recording.parts]

    def column(name: str) -> FloatArray | None:
        if not any(name in table and table[name].dtype.kind == "f" for table in tables):
            return None
        known = [name in table and table[name].dtype.kind == "f" for table in tables]
        return np.concatenate(
            [table[name] if here else np.full(len(table), np.nan) for table, here in zip(tables, known, strict=True)]
        )

    t_s = np.concatenate([table.t_s for table in tables])
    steps, end_s = column("steps"), column("end_at_s")
    steps = np.full(t_s.size, np.nan) if steps is None else steps
    lasted_s = np.full(t_s.size, MINUTE_S) if end_s is None else np.where(end_s > t_s, end_s - t_s, MINUTE_S)
    usable = np.flatnonzero(steps >= 0)
    order = usable[np.lexsort((-steps[usable], t_s[usable]))]  # of an interval sent twice, the fuller comes first
    first = np.append(True, np.diff(t_s[order]) > 0)[: order.size]
    out.flag("interval_repeated", when=not first.all(), count=np.count_nonzero(~first))
    kept = order[first]
    distance_m, pace = column("distance_m"), column("pace_s_per_m")
    return Intervals(
        t_s[kept],
        lasted_s[kept],
        steps[kept],
        None if distance_m is None else distance_m[kept],
        None if pace is None else pace[kept],
    )
