"""How often a followed score cries wolf, and how soon it tells of a real loss: simulated patients with known truth.

    python benchmarks/follow.py [--patients 100] [--definition NAME/VERSION ...] [--seed 1] [--workers 1] [--markdown]

See docs/scoring.md for what is simulated, and the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from konectom.recording import FloatArray
from konectom.scoring.follow import follow
from konectom.scoring.followed import Followed
from konectom.scoring.progression import Event, confirmed_changes, get_definition
from konectom.scoring.series import Score, Series

SCORE = Score("cps.correct[symbol_to_digit]", "symbols right", "1", "higher", "assessment", "cps", (0, 400), "", True)
"""A score that is followed by the default policy, with the run-in of its test."""

DEFINITIONS = ("digital-rising-24w/1", "digital-rising-12w/1")
"""The default, and the same confirmed sooner."""

WEEKS = 156
LOSS_WEEK = 52.0
FIRST_DAY = 20_000.0
LOOK_EVERY_WEEKS = 4
"""How often somebody looks: an alarm is seen at the first look at which it stands in the answer."""

NOISE, NOISY = 0.08, 0.20
"""Spread (logarithmic, so about a share) between the tests of a steady patient: 8 % is what an ICC of 0.87 leaves of a
spread of 20 % between patients (symbol-digit test, PMC7573704), and the standard error of the T25FW (0.23 / 2.77,
PubMed 38924934); 20 % is what the least reliable of Floodlight's tests leaves (ICC 0.61, PubMed 34259588)."""

SLOW_SHARE, SLOW_DAYS = 0.3, 30.0
"""Of the noise's variance, 30 % fade away over 30 days (good and bad weeks) instead of from test to test: assumed."""

GAIN, HALF_RUNS = np.log(1.408), 11.0
"""Practice of a symbol-digit test on a phone (doi:10.2196/30394): 40.8 % in the end, half of it after 11 runs."""

MISSED = 0.08
"""Share of tests that do not take place (doi:10.3233/JND-240004: 92.1 % did)."""


@dataclass(frozen=True)
class Truth:
    """A patient's course. ``loss`` is the share that is lost in the end; ``shape`` how."""

    name: str
    loss: float = 0.0
    shape: str = "none"
    noise: float = NOISE
    practised: bool = True

    def burden(self, week: FloatArray) -> FloatArray:
        """Return the logarithm of what is lost, from 0 on."""
        deepest = -np.log1p(-self.loss)
        since = np.maximum(0.0, week - LOSS_WEEK)
        if self.shape == "step":
            return deepest * (week >= LOSS_WEEK)
        if self.shape == "slow":
            return deepest * since / (WEEKS - LOSS_WEEK)
        if self.shape == "relapse":
            return deepest * (week >= LOSS_WEEK) * np.exp2(-since / 3.0)
        return np.zeros_like(week)


STEADY = (
    Truth("steady"),
    Truth("steady, learning the test", practised=False),
    Truth("steady, noisy", noise=NOISY),
    Truth("steady, noisy, learning the test", noise=NOISY, practised=False),
    Truth("loses 30 %, recovers by half every 3 weeks", loss=0.3, shape="relapse"),
)
LOSING = tuple(
    Truth(f"loses {100 * loss:.0f} % {how}{more}", loss=loss, shape=shape, **kind)
    for shape, how in (("step", "at once"), ("slow", "over 2 years"))
    for more, kind in (("", {}), (", learning the test", {"practised": False}), (", noisy", {"noise": NOISY}))
    for loss in (0.1, 0.2, 0.3)
)


def simulate(truth: Truth, per_week: int, seed: int) -> Series:
    """Return three years of tests of one patient."""
    rng = np.random.default_rng(seed)
    slots = np.arange(WEEKS * per_week)
    day = slots * 7.0 / per_week + rng.uniform(-0.1, 0.1, slots.size)
    day = day[rng.random(slots.size) >= MISSED]
    run = np.arange(1, day.size + 1)
    slow, fast = _slow(day, rng), rng.standard_normal(day.size)
    noise = truth.noise * (np.sqrt(SLOW_SHARE) * slow + np.sqrt(1 - SLOW_SHARE) * fast)
    practice = 0.0 if truth.practised else -GAIN * np.exp2(-(run - 1) / HALF_RUNS)
    value = 50.0 * np.exp(practice - truth.burden(day / 7.0) + noise)
    return Series.of(SCORE, FIRST_DAY + day, np.round(value), run=run)


def _slow(day: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return noise of unit spread whose correlation falls to 1/e in ``SLOW_DAYS``."""
    fresh = rng.standard_normal(day.size)
    kept = np.exp(-np.diff(day) / SLOW_DAYS)
    slow = np.empty(day.size)
    slow[0] = fresh[0]
    for i, k in enumerate(kept, start=1):
        slow[i] = k * slow[i - 1] + np.sqrt(1 - k * k) * fresh[i]
    return slow


def until(series: Series, week: float) -> Series:
    """Return what was known at the end of a week."""
    n = int(np.searchsorted(series.at_day, FIRST_DAY + 7.0 * week))
    columns = (series.at_day, series.value, series.verdict, series.run, series.version)
    return Series(series.score, *(each[:n] for each in columns))


def first_alarms(truth: Truth, per_week: int, definitions: tuple[str, ...], seed: int) -> list[float | None]:
    """Return for each definition the week of the first look at which a confirmed worsening stands in the answer."""
    series = simulate(truth, per_week, seed)
    found: dict[str, float] = {}
    for week in range(LOOK_EVERY_WEEKS, WEEKS + 1, LOOK_EVERY_WEEKS):
        missing = [definition for definition in definitions if definition not in found]
        if not missing:
            break
        told = follow(until(series, week), definition=missing[0], today_day=FIRST_DAY + 7.0 * week)
        for definition in missing:
            events = told.events if definition == missing[0] else events_under(told, definition)
            if any(event.direction == "worsening" for event in events):
                found[definition] = float(week)
    return [found.get(definition) for definition in definitions]


def events_under(told: Followed, definition: str) -> tuple[Event, ...]:
    """Return what another definition makes of the same windows."""
    if told.baseline is None or told.bands is None:
        return ()
    known = told.aggregates.known
    return confirmed_changes(
        told.aggregates.at_day[known],
        told.aggregates.value[known],
        better=SCORE.better,
        definition=get_definition(definition),
        noise=told.bands.high - told.baseline.value,
    )


@dataclass(frozen=True)
class Outcome:
    """What was seen of the patients of one truth: how many had an alarm before the loss, and after it; when."""

    truth: Truth
    patients: int
    early: int
    delays: tuple[float, ...]

    @property
    def false_rate(self) -> float:
        return self.early / self.patients

    @property
    def detected(self) -> float:
        return len(self.delays) / max(1, self.patients - self.early)

    def delay(self, share: float) -> float:
        return float(np.quantile(self.delays, share)) if self.delays else float("nan")


def study(
    truth: Truth,
    *,
    patients: int,
    per_week: int,
    definitions: tuple[str, ...] = DEFINITIONS,
    seed: int = 1,
    run: Callable[..., Iterable[list[float | None]]] = map,
) -> list[Outcome]:
    """Follow so many patients of one truth under each definition."""
    one = partial(first_alarms, truth, per_week, definitions)
    alarms = list(run(one, range(seed * 1_000_000, seed * 1_000_000 + patients)))
    real = truth in LOSING
    outcomes = []
    for column in zip(*alarms, strict=True):
        weeks = [week for week in column if week is not None]
        late = tuple(week - LOSS_WEEK for week in weeks if real and week > LOSS_WEEK)
        outcomes.append(Outcome(truth, patients, len(weeks) - len(late), late))
    return outcomes


def cells(outcome: Outcome) -> tuple[str, str]:
    """Return how many were false, and what was told of the losses: share, median delay, 10th to 90th centile."""
    false = f"{100 * outcome.false_rate:.1f} %"
    if not outcome.delays:
        return false, "0 %" if outcome.truth in LOSING else ""
    spread = f"{outcome.delay(0.5):.0f} ({outcome.delay(0.1):.0f} to {outcome.delay(0.9):.0f}) weeks"
    return false, f"{100 * outcome.detected:.0f} %, {spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--patients", type=int, default=100, help="of each losing truth; three times as many steady ones"
    )
    parser.add_argument("--definition", action="append", help="name/version; may be given twice")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--markdown", action="store_true")
    asked = parser.parse_args()
    definitions = tuple(asked.definition or DEFINITIONS)
    line = (
        "| {} |" + " {} |" * (1 + 2 * len(definitions))
        if asked.markdown
        else "{:40} {:>6}" + " {:>7} {:>26}" * len(definitions)
    )
    print(line.format("truth", "a week", *(text for name in definitions for text in (f"false, {name}", "told"))))
    if asked.markdown:
        print("|---" * (2 + 2 * len(definitions)) + "|")
    with ProcessPoolExecutor(asked.workers) as pool:
        run = partial(pool.map, chunksize=5) if asked.workers > 1 else map
        for per_week in (1, 3):
            for truth in (*STEADY, *LOSING):
                patients = asked.patients * (1 if truth in LOSING else 3)
                seen = study(
                    truth, patients=patients, per_week=per_week, definitions=definitions, seed=asked.seed, run=run
                )
                print(line.format(truth.name, per_week, *(text for each in seen for text in cells(each))), flush=True)


if __name__ == "__main__":
    main()
