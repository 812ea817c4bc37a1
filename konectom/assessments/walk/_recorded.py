"""A walk as it was recorded, prepared for measuring: motion, turns, bouts, and contacts of the feet with the ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from konectom.assessments._belt import cut
from konectom.recording import STANDARD_GRAVITY_MPS2, FloatArray, Part, Stream
from konectom.signals.bouts import TICK_S, Bouts, find_movement, find_walking, samples_between, steps_of, tick_of
from konectom.signals.contacts import Contacts, find_contacts
from konectom.signals.filters import detrend, low_pass
from konectom.signals.inertial import Motion, motion
from konectom.signals.lee_steps import averaged, find_lee_steps
from konectom.signals.orientation import placements
from konectom.signals.resample import REFERENCE_RATE_HZ, Even
from konectom.signals.timebase import first_seconds, since
from konectom.signals.turns import Turn, find_turns

INSTRUCTIONS_BEFORE = 2
INSTRUCTED_S = 360.0
LONGEST_S = 3600.0
TURNING_HZ = 1.5
LARGE_TURN_RAD = np.radians(60)

FIRST_2_MIN, LONGEST_BOUT, ALL_BOUTS, WHOLE = "first_2_min", "longest_bout", "all_bouts", "whole"
OPENING_S = 120.0
_HALF_TICK = 1e-6


@dataclass(frozen=True)
class Walk:
    """What the sensors recorded of a walk; what follows from it is computed once, when it is asked for."""

    streams: Mapping[str, Stream]

    @cached_property
    def moved(self) -> Motion:
        """The acceleration as it was sampled."""
        return motion(self.streams)

    @cached_property
    def user(self) -> Even:
        """The user acceleration (n, 3) in g at 50 Hz, x vertical (downwards is positive), free of trend."""
        upright = self.moved.upright(REFERENCE_RATE_HZ)
        return replace(upright, values=detrend(upright.values))

    @cached_property
    def total(self) -> Even:
        """The acceleration with gravity (n, 3) in m/s2, x vertical, at the recording's own rate."""
        upright = self.moved.total_upright()
        return replace(upright, values=upright.values * STANDARD_GRAVITY_MPS2)

    @cached_property
    def vertical_mps2(self) -> FloatArray:
        """The vertical acceleration (n), free of trend."""
        return detrend(self.total.values[:, 0])

    @cached_property
    def norm_mps2(self) -> FloatArray:
        """The size of the acceleration with gravity (n)."""
        norm: FloatArray = np.sqrt(np.einsum("ij,ij->i", self.total.values, self.total.values))
        return norm

    @cached_property
    def rotation(self) -> Even:
        """The rotation (n, 3) in rad/s, x about the vertical, at 50 Hz; empty where there is no gyroscope."""
        if "gyroscope" not in self.streams:
            return Even(np.empty(0), np.empty((0, 3)), REFERENCE_RATE_HZ)
        return self.moved.rotation(self.streams["gyroscope"], REFERENCE_RATE_HZ)

    @cached_property
    def yaw(self) -> Even:
        """The rotation about the vertical (n) in rad/s below 1.5 Hz: that of turning."""
        smooth = low_pass(self.rotation.values[:, 0], TURNING_HZ, 5, self.rotation.rate_hz)
        return replace(self.rotation, values=smooth)

    @cached_property
    def large_turns(self) -> list[Turn]:
        """The turns of more than 60 degrees."""
        if len(self.yaw) < 2:
            return []
        found = find_turns(self.yaw.values, self.yaw.rate_hz)
        return [turn for turn in found if abs(turn.angle_rad) > LARGE_TURN_RAD]

    @cached_property
    def placed(self) -> tuple[int, np.ndarray[tuple[int], np.dtype[np.str_]]]:
        """Where the phone was in each 0.1 s, from which tick on."""
        even = self.moved.even(np.hstack([self.moved.gravity_g, self.moved.user_g]), REFERENCE_RATE_HZ)
        label, at = steps_of(even)
        where = placements(even.values[:, :3], even.values[:, 3:], REFERENCE_RATE_HZ, at)
        return (int(label[0]) if label.size else 0), where

    @cached_property
    def movement(self) -> Bouts:
        """When the patient moved."""
        return find_movement(self.user)

    @cached_property
    def walking(self) -> Bouts:
        """When the patient walked straight on with the phone on the belt."""
        belt_from, where = self.placed
        origin = tick_of(self.yaw.t_s[0]) if len(self.yaw) else 0
        turns = [(origin + turn.first, origin + turn.last) for turn in self.large_turns]
        return find_walking(self.movement, where == "belt", turns, belt_from)

    @cached_property
    def contacts(self) -> Contacts:
        """The contacts in the bouts of walking."""
        bouts = [samples_between(self.total, *span) for span in self.walking.spans()]
        return find_contacts(self.vertical_mps2, self.total.rate_hz, bouts)

    @cached_property
    def contacts_throughout(self) -> Contacts:
        """The contacts in the whole recording, taken as one bout."""
        return find_contacts(self.vertical_mps2, self.total.rate_hz, [(0, len(self.total))])

    @cached_property
    def upwards_g(self) -> FloatArray:
        """The upward acceleration (n) in which single steps are sought."""
        return averaged(-self.user.values[:, 0])

    @cached_property
    def steps(self) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], np.ndarray[tuple[int], np.dtype[np.intp]]]:
        """The steps in the bouts of movement: their samples, and the number of the bout of each."""
        found = []
        for first, stop in self.movement_samples:
            found.append(first + find_lee_steps(self.upwards_g[first:stop], self.user.rate_hz))
        bout = np.repeat(np.arange(len(found)), [steps.size for steps in found])
        return (np.concatenate(found) if found else np.empty(0, dtype=np.intp)), bout

    @cached_property
    def steps_throughout(self) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        """The steps in the whole recording."""
        return find_lee_steps(self.upwards_g, self.user.rate_hz)

    @cached_property
    def movement_samples(self) -> list[tuple[int, int]]:
        """The bouts of movement as samples at 50 Hz: the first, and the one after the last."""
        return [samples_between(self.user, *span) for span in self.movement.spans()]


def walk_of(part: Part) -> Walk:
    """Return the walk from the begin of the test to its end, or its first hour: a clock may jump by years."""
    spoken = part.events.get("instruction")
    if spoken is None or len(spoken) <= INSTRUCTIONS_BEFORE:
        return Walk(cut(part, lambda stream: first_seconds(stream, LONGEST_S)))
    begin_s = float(spoken.t_s[INSTRUCTIONS_BEFORE])
    return Walk(cut(part, lambda stream: until(since(stream, begin_s), begin_s + INSTRUCTED_S)))


def until(stream: Stream, end_s: float) -> Stream:
    """Return what was recorded at ``end_s`` or earlier."""
    return first_seconds(stream, end_s - float(stream.t_s.min())) if len(stream) else stream


def selection(bouts: Bouts, which: str, t_s: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which of the times (n) belong to the first two minutes, to the longest bout, or to any."""
    tick = t_s / TICK_S
    if which == FIRST_2_MIN and len(bouts):
        chosen: np.ndarray[tuple[int], np.dtype[np.bool_]] = tick < bouts.first[0] + OPENING_S / TICK_S - _HALF_TICK
        return chosen
    longest = bouts.longest()
    if which == LONGEST_BOUT and longest is not None:
        return (tick >= longest[0] - _HALF_TICK) & (tick <= longest[1] + _HALF_TICK)
    return np.ones(t_s.size, dtype=np.bool_)
