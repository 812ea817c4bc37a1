"""The measures of one hand, and of both."""

from __future__ import annotations

import numpy as np

from konectom.assessments._outcome import Outcome
from konectom.assessments.pinch._hand import SIZES, Hand
from konectom.recording import FloatArray
from konectom.signals.statistics import describe
from konectom.signals.touches import first_peaks_s

TREMOR_RATE_HZ = 20.0
FINGERS = ("top", "bottom")
PRESSURES = ("first_pressure", "pressure", "pressure_jerk", "mean_squared_pressure_jerk")


def write_counts(hand: Hand, out: Outcome) -> None:
    """Write how often the hand tried and how often a bubble burst."""
    successful, size = hand.attempts.successful, hand.size[hand.attempts.bubble]
    rates = []
    for number, word in _sizes(hand):
        of = size == number
        tried, burst = np.count_nonzero(of), np.count_nonzero(successful[of])
        rates.append(burst / tried if tried else np.nan)
        out("attempts", tried, size=word)
        out("successes", burst, size=word)
        out("accuracy", rates[-1], size=word)
    out("attempts", len(hand.attempts))
    out("successes", np.count_nonzero(successful))
    out("accuracy", describe(rates, ("mean",))[0])
    out("success_rate", hand.tried.successful.mean() if len(hand.tried) else np.nan)


def write_times(hand: Hand, out: Outcome) -> None:
    """Write how long each step of an attempt took."""
    attempts, span = hand.attempts, hand.attempts.span
    touched, successful = attempts.path.touches, attempts.successful
    first, last = np.diff(attempts.bubble, prepend=-1) != 0, np.diff(attempts.bubble, append=len(hand.bubbles)) != 0
    apart_ms = _ms(np.abs(np.diff(touched.begin_s[attempts.pair], axis=1)[:, 0]))
    dwell_ms = _ms(attempts.path.moved_s()[attempts.pair].min(axis=1) - span.begin_s)
    to_squeeze_s, squeeze_s = attempts.squeezed_s[:, 0] - span.begin_s, np.diff(attempts.squeezed_s, axis=1)[:, 0]
    bubble_s = span.end_s[last] - span.begin_s[first]
    typical: dict[str, list[float]] = {"first": [], "all": []}
    for number, word in _sizes(hand):
        of = hand.size[attempts.bubble] == number
        out("bubble_duration", bubble_s[of[first]], size=word)
        for which, chosen in (("first", of & first), ("all", of)):
            out("double_touch_asynchrony", apart_ms[chosen], size=word, attempts=which)
            out("dwell_time", dwell_ms[chosen], size=word, attempts=which)
            typical[which].append(describe(apart_ms[chosen], ("mean",))[0])
        for outcome, chosen in (("all", of), ("successful", of & successful), ("failed", of & ~successful)):
            out("time_to_squeeze", to_squeeze_s[chosen], size=word, outcome=outcome)
            out("squeeze_duration", squeeze_s[chosen], size=word, outcome=outcome)
    for which, means in typical.items():
        out("typical_double_touch_asynchrony", describe(means, ("mean",))[0], attempts=which)
    out("touch_asynchrony", apart_ms)
    out("lift_asynchrony", _ms(np.abs(np.diff(touched.end_s[attempts.pair], axis=1)[:, 0])))
    out("gap", span.begin_s[1:] - span.end_s[:-1])
    out("single_shot_duration", span.duration_s[first & last & successful])


def write_peaks(hand: Hand, out: Outcome) -> None:
    """Write when each finger of the successful attempts is fastest for the first time."""
    pair = hand.attempts.pair[hand.attempts.successful]
    found_s = first_peaks_s(hand.attempts.path, pair.ravel()).reshape(-1, 2, 2)
    found_s = found_s[np.isfinite(found_s).all(axis=(1, 2))]
    for number, finger in enumerate(FINGERS):
        out("time_to_peak_speed", np.round(np.diff(found_s[:, number], axis=1)[:, 0], 9), finger=finger)
    out("peak_speed_asynchrony", _ms(found_s[:, 0, 1] - found_s[:, 1, 1]))


def write_reaction(hands: list[Hand], out: Outcome) -> None:
    """Write how fast the hands, and each of them, go for a bubble; each hand's first bubble apart."""
    later_ms, size = [np.empty(0)], [np.empty(0, dtype=np.intp)]
    for hand in hands:
        reaction_ms = hand.reaction_ms
        first = hand.bubbles.appeared_s == hand.bubbles.appeared_s.min(initial=np.inf)
        later_ms.append(reaction_ms[~first])
        size.append(hand.size[~first])
        here = out.at(hand=hand.name)
        here("first_reaction_time", reaction_ms[0] if reaction_ms.size else np.nan)
        here("reaction_time", later_ms[-1])
        known = later_ms[-1][np.isfinite(later_ms[-1])]
        halves = known[: known.size // 2], known[known.size // 2 :]
        early, late = (describe(half, ("cv",))[0] for half in halves)
        here("reaction_unsteadiness_change", late - early)
    every_ms, sizes = np.concatenate(later_ms), np.concatenate(size)
    out("reaction_time", every_ms)
    for number, word in enumerate(SIZES):
        if any((hand.size == number).any() for hand in hands):
            out("reaction_time", every_ms[sizes == number], size=word)


def write_fingers(hand: Hand, out: Outcome) -> None:
    """Write how each finger touches: where, how hard, how fast, how smoothly."""
    path, bubbles, bubble = hand.attempts.path, hand.bubbles, hand.attempts.bubble
    pair = hand.attempts.pair
    # Each contact's group: size, finger, outcome; those of no attempt or of no known size have none.
    size = hand.size[bubble][:, None]
    group = np.full(len(path), -1)
    group[pair] = np.where(size < 0, -1, (size * 2 + [0, 1]) * 2 + ~hand.attempts.successful[:, None])
    first = path.first
    of = np.zeros(len(path), dtype=np.intp)
    of[pair] = bubble[:, None]
    away = np.hypot(path.x[first] * hand.points - bubbles.x[of], path.y[first] * hand.points - bubbles.y[of])
    speed = path.speed_per_ms() * hand.points
    jerk = path.per_ms(path.per_ms(speed))
    contacts = {"contact_distance": away - bubbles.stated_radius[of], "mean_squared_jerk": path.mean(jerk**2)}
    along = {"speed": speed, "jerk": jerk}
    if hand.pressure is not None:
        pressure_jerk = path.per_ms(path.per_ms(path.per_ms(hand.pressure)))
        second = np.minimum(first + 1, path.last)
        begun = np.where(np.isnan(hand.pressure[first]), hand.pressure[second], hand.pressure[first])
        contacts |= {"first_pressure": begun, "mean_squared_pressure_jerk": path.mean(pressure_jerk**2)}
        along |= {"pressure": hand.pressure, "pressure_jerk": pressure_jerk}
    else:
        for quantity in PRESSURES:
            for where, _, _ in _groups(hand):
                out.absent(quantity, "input_missing", **where)
    for quantities, groups in ((contacts, group), (along, group[path.contact])):
        order = np.argsort(groups, kind="stable")
        edges = np.searchsorted(groups[order], np.arange(4 * len(SIZES) + 1))
        for quantity, values in quantities.items():
            ordered = values[order]
            for where, low, high in _groups(hand):
                out(quantity, ordered[edges[low] : edges[high]], **where)
    for number, finger in enumerate(FINGERS):
        out("edge_distance", (away - bubbles.radius[of])[pair[:, number]], finger=finger)


def _sizes(hand: Hand) -> list[tuple[int, str]]:
    """Return the sizes of which the hand was shown a bubble, numbered."""
    return [(number, word) for number, word in enumerate(SIZES) if (hand.size == number).any()]


def _groups(hand: Hand) -> list[tuple[dict[str, str], int, int]]:
    """Return each group of contacts: its condition, and from which to before which number it goes."""
    return [
        ({"size": word, "finger": finger, "outcome": outcome}, low + from_, low + to)
        for number, word in _sizes(hand)
        for place, finger in enumerate(FINGERS)
        for low in ((number * 2 + place) * 2,)
        for outcome, from_, to in (("all", 0, 2), ("successful", 0, 1), ("failed", 1, 2))
    ]


def _ms(seconds: FloatArray) -> FloatArray:
    """Return times in milliseconds, to the nanosecond, so that equal ones are equal."""
    milliseconds: FloatArray = np.round(seconds * 1e3, 6)
    return milliseconds
