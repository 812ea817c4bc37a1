"""Voice: hold the vowel /a/ as long and as evenly as possible; repeat /pa-ta-ka/ as fast as possible.

What each part of the recording carries:

* condition: ``exercise`` (aah, pataka).
* stream ``audio``: the sound as a share of full scale, column ``amplitude``, at 7.5 kHz or more.

Of a part that was done more than once the longest recording counts; at most its first two minutes are looked at. What
was not recorded (gaps, missing values) is silent.

Phonation goes on across breaks of the voice of less than 0.1 s. Between syllables, an interval of more than 2.5 times
the median is a pause, such as to breathe in: it is counted and left out of rate and rhythm.

Source: fundamental frequency and harmonics-to-noise ratio, Boersma 1993; jitter and shimmer (local), as in Praat;
syllables after de Jong & Wempe 2009 (see ``konectom.signals``). Konectom's published library decodes the sound of this
test but measures nothing. Deviations: the harmonics-to-noise ratio looks one period ahead, where Praat takes the best
of several; the longest phonation is that of one attempt, not of three, and cannot exceed the recording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from konectom.assessments.base import (
    CENTRE_AND_RANGE,
    Condition,
    Input,
    Measure,
    Outcome,
    Rule,
    assessment,
    behavioural,
    clinician,
    invalid,
    limited,
    noted,
    parts_by_condition,
    technical,
)
from konectom.recording import FloatArray, Part, Recording
from konectom.signals.perturbation import find_periods, harmonicity_db, local_jitter, local_shimmer
from konectom.signals.sound import Sound, at_fine_rate, evenly, rate_of
from konectom.signals.statistics import LEAST_VALUES, describe
from konectom.signals.syllables import find_syllables
from konectom.signals.timebase import tidy
from konectom.signals.voice import STEP_S, Pitch, follow_pitch, voiced_at

AUDIO = Input("audio", ("amplitude",), "1", means="The sound that the phone recorded, as a share of full scale.")

AAH, PATAKA = "aah", "pataka"
EXERCISE = Condition("exercise", (AAH, PATAKA), means="What was said: a held vowel, or syllables in quick succession.")
VOWEL, SYLLABLES = EXERCISE.only(AAH), EXERCISE.only(PATAKA)

BOERSMA = "Boersma 1993, IFA Proceedings 17: 97-110"
DE_JONG = "Syllables: de Jong & Wempe 2009, 10.3758/BRM.41.2.385"

MEASURES = (
    Measure(
        "phonation_time",
        "s",
        "The longest time for which the voice sounds without a break.",
        better="higher",
        plausible=(0, 120),
        by=(VOWEL,),
        score=True,
        evidence=f"konectom's own definition: the longest stretch that is voiced by the method of {BOERSMA}",
    ),
    Measure(
        "voiced_share",
        "%",
        "Share of the time from the voice's begin to its end in which it sounds.",
        better="higher",
        plausible=(0, 100),
        by=(VOWEL,),
    ),
    Measure(
        "fundamental_frequency",
        "Hz",
        "How often a second the vocal folds close: the pitch of the voice.",
        plausible=(60, 600),
        statistics=(*CENTRE_AND_RANGE, "iqr"),
        by=(VOWEL,),
        evidence=BOERSMA,
    ),
    Measure(
        "frequency_variation",
        "%",
        "Standard deviation of the fundamental frequency over its mean, of a vowel that is meant to be steady.",
        better="lower",
        plausible=(0, 100),
        by=(VOWEL,),
        score=True,
        evidence=BOERSMA,
    ),
    Measure(
        "jitter",
        "%",
        "Mean difference between the durations of successive periods of the voice, over the mean duration.",
        better="lower",
        plausible=(0, 30),
        by=(VOWEL,),
        score=True,
        evidence="Local jitter as Praat defines it (Boersma & Weenink, praat.org)",
    ),
    Measure(
        "shimmer",
        "%",
        "Mean difference between the amplitudes of successive periods of the voice, over the mean amplitude.",
        better="lower",
        plausible=(0, 60),
        by=(VOWEL,),
        score=True,
        evidence="Local shimmer as Praat defines it (Boersma & Weenink, praat.org)",
    ),
    Measure(
        "harmonics_to_noise",
        "dB",
        "Ratio of the voice's periodic energy to the rest, mean over the time in which it sounds.",
        better="higher",
        plausible=(-20, 60),
        by=(VOWEL,),
        score=True,
        evidence=BOERSMA,
    ),
    Measure("syllables", "1", "Syllables said.", plausible=(0, 1500), by=(SYLLABLES,), evidence=DE_JONG),
    Measure(
        "syllable_rate",
        "/s",
        "Syllables a second, pauses left out.",
        better="higher",
        plausible=(0, 12.5),
        by=(SYLLABLES,),
        score=True,
        evidence=DE_JONG,
    ),
    Measure(
        "syllable_interval",
        "s",
        "Time from the begin of one syllable to that of the next, pauses left out.",
        better="lower",
        plausible=(0.02, 10),
        statistics=(*CENTRE_AND_RANGE, "iqr"),
        by=(SYLLABLES,),
        evidence=DE_JONG,
    ),
    Measure(
        "rhythm_irregularity",
        "1",
        "Coefficient of variation of the time from one syllable to the next, pauses left out.",
        better="lower",
        plausible=(0, 2),
        by=(SYLLABLES,),
        score=True,
        evidence=DE_JONG,
    ),
    Measure("pauses", "1", "Pauses between syllables.", better="lower", plausible=(0, 500), by=(SYLLABLES,)),
)

LONGEST_S, MOST_SAMPLES = 120.0, 8_000_000
RATE_HZ = (7_500.0, 400_000.0)
BRIDGED_S, PAUSE = 0.1, 2.5
QUIET, CLIPPED, MOST_CLIPPED, MOST_MISSING = 0.01, 0.999, 0.001, 0.01
SHORTEST_S, FEWEST_PERIODS, FEWEST_SYLLABLES, LEAST_VOICED = 1.0, 10, 6, 0.5

QUALITY = (
    Rule("rate_unusable", technical, invalid, "The phone recorded the sound too coarsely. Please update the app."),
    Rule("gap", technical, limited, "The phone stopped recording for a while. Please repeat the test."),
    Rule("too_quiet", behavioural, limited, "Your voice was very quiet. Please come closer to the phone."),
    Rule("clipped", behavioural, limited, "Your voice was too loud for the phone. Please move a little away from it."),
    Rule("no_voice", behavioural, invalid, "No voice was heard. Please repeat the test in a quiet room."),
    Rule("short_phonation", behavioural, limited, "Your voice was heard only briefly. Please repeat if you can."),
    Rule("cut_off", technical, noted, "The voice still sounded when the recording ended.", to=clinician),
    Rule("few_syllables", behavioural, limited, "Few syllables were heard. Please repeat pa-ta-ka without stopping."),
    Rule("exercise_missing", technical, noted, "Only one of the two voice exercises was recorded.", to=clinician),
)


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """What was recorded of an exercise: the samples (NaN where missing) as they came, and as they are analysed."""

    x: FloatArray
    sound: Sound


@assessment(
    "voice",
    version=1,
    title="Voice",
    domain="speech",
    inputs=(AUDIO,),
    measures=MEASURES,
    quality=QUALITY,
    source="Praat (Boersma & Weenink); de Jong & Wempe 2009; exercises of Konectom 2 (voice-activity)",
)
def extract(recording: Recording, out: Outcome) -> None:
    """Hold the vowel /a/ as long and evenly as possible; repeat /pa-ta-ka/ as fast as possible."""
    found = parts_by_condition(recording, out, lambda _: (EXERCISE,), size=lambda part: len(part.streams["audio"]))
    parts = [(where, part) for where, part in found if where]
    for where, part in parts:
        here = out.at(**where)
        recorded = _recorded(part, here)
        if recorded is not None:
            _judge(recorded, here)
            (_write_vowel if where[EXERCISE.name] == AAH else _write_syllables)(recorded.sound, here)
        here.rest_absent("not_applicable" if recorded is None else "too_few_values")
    out.flag("exercise_missing", when=len(parts) < len(EXERCISE.levels))


def _recorded(part: Part, out: Outcome) -> Recorded | None:
    """Return the sound of a part, None where its rate is of no use."""
    stream = part.streams["audio"]
    t_s, values = tidy(stream.t_s, stream.matrix("amplitude"))
    rate_hz = rate_of(t_s)
    if not RATE_HZ[0] <= rate_hz <= RATE_HZ[1]:
        out.flag("rate_unusable", rate_hz=round(rate_hz, 1) if np.isfinite(rate_hz) else None)
        return None
    x = evenly(t_s, values[:, 0], rate_hz, min(MOST_SAMPLES, int(LONGEST_S * rate_hz)))
    return Recorded(x, at_fine_rate(x, rate_hz))


def _judge(recorded: Recorded, out: Outcome) -> None:
    x = recorded.x
    missing = float(np.count_nonzero(np.isnan(x))) / x.size
    loudest = max(float(np.nanmax(x)), -float(np.nanmin(x)))
    clipped = float(np.count_nonzero((x >= CLIPPED) | (x <= -CLIPPED))) / x.size if loudest >= CLIPPED else 0.0
    out.flag("gap", when=missing > MOST_MISSING, share=round(missing, 4))
    out.flag("too_quiet", when=loudest < QUIET, loudest=round(loudest, 5))
    out.flag("clipped", when=clipped > MOST_CLIPPED, share=round(clipped, 5))


def _write_vowel(sound: Sound, out: Outcome) -> None:
    pitch = follow_pitch(sound)
    voiced = np.flatnonzero(pitch.voiced)
    if not voiced.size:
        out.flag("no_voice")
        out("phonation_time", 0.0)
        return
    longest_s, end_s = _longest_phonation(pitch)
    out.flag("short_phonation", when=longest_s < SHORTEST_S, lasted_s=round(longest_s, 2))
    out.flag("cut_off", when=end_s > sound.duration_s - BRIDGED_S, lasted_s=round(longest_s, 2))
    out("phonation_time", longest_s)
    out("voiced_share", 100.0 * voiced.size / (voiced[-1] - voiced[0] + 1))
    f0_hz = pitch.f0_hz[voiced]
    out("fundamental_frequency", f0_hz)
    out("harmonics_to_noise", harmonicity_db(sound, pitch).mean())
    if voiced.size >= LEAST_VALUES["cv"]:
        out("frequency_variation", 100.0 * describe(f0_hz, ("cv",))[0])
    periods = find_periods(sound, pitch)
    if sum(np.count_nonzero(each.real) for each in periods) >= FEWEST_PERIODS:
        out("jitter", 100.0 * local_jitter(periods))
        out("shimmer", 100.0 * local_shimmer(sound, periods))


def _longest_phonation(pitch: Pitch) -> tuple[float, float]:
    """Return how long the longest phonation lasts and when it ends, breaks of less than 0.1 s bridged."""
    first, stop = np.array(pitch.stretches()).T
    goes_on = (first[1:] - stop[:-1]) * STEP_S < BRIDGED_S
    begin, end = first[np.append(True, ~goes_on)], stop[np.append(~goes_on, True)]
    longest = int((end - begin).argmax())
    return float(end[longest] - begin[longest]) * STEP_S, float(pitch.t_s[end[longest] - 1])


def _write_syllables(sound: Sound, out: Outcome) -> None:
    begin_s, loudest_s = find_syllables(sound)
    voiced = float(voiced_at(sound, loudest_s).mean()) if loudest_s.size else 0.0
    if voiced < LEAST_VOICED:
        out.flag("no_voice", peaks=begin_s.size, voiced_share=round(voiced, 3))
        return
    out("syllables", begin_s.size)
    out.flag("few_syllables", when=begin_s.size < FEWEST_SYLLABLES, syllables=begin_s.size)
    between_s = np.diff(begin_s)
    pause = between_s > PAUSE * (np.median(between_s) if between_s.size else np.inf)
    out("pauses", np.count_nonzero(pause))
    between_s = between_s[~pause]
    out("syllable_interval", between_s)
    if between_s.size:
        out("syllable_rate", 1.0 / between_s.mean())
    if between_s.size >= LEAST_VALUES["cv"]:
        out("rhythm_irregularity", describe(between_s, ("cv",))[0])
