"""Running an assessment: inputs in, result out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from konectom.assessments._outcome import Outcome, Quality, Result, Verdict, unexplained
from konectom.errors import ColumnInvalid, StreamMissing, error_class
from konectom.recording import Part, Recording, Stream

if TYPE_CHECKING:
    from konectom.assessments.base import Assessment, Input

MOST_DISORDER = 0.01
"""Share of time stamps that may repeat or run backwards before it is flagged."""


def run(assessment: Assessment, recording: Recording) -> Result:
    """Return the result of ``recording``; see :meth:`Assessment.run`."""
    out = Outcome.blank(assessment.catalogue, assessment.rules)
    sheet = out._sheet
    parts = _usable_parts(assessment, recording, out)
    out.flag("unfinished", when=not recording.finished, reason=recording.interruption or "")
    if parts:
        _flag_disorder(assessment, parts, out)
        assessment.extract(replace(recording, parts=parts), out)
        left_out = unexplained(sheet)
        if left_out:
            names = sorted({f"{block.quantity} {dict(block.condition)}" for block in left_out})
            raise RuntimeError(f"{assessment.name} neither wrote nor explained: {', '.join(names[:5])}")
    else:
        out.flag("no_data")
        sheet.reasons.update(dict.fromkeys(range(len(sheet.catalogue)), "no_data"))
    _flag_unreadable(assessment, recording, out)
    _flag_implausible(out)
    _flag_nothing_measured(out)
    flags = tuple(sheet.flags.values())
    severities = {flag.severity for flag in flags}
    verdict: Verdict = "invalid" if "error" in severities else "limited" if "warning" in severities else "valid"
    entries = sheet.catalogue.entries
    absent = {entries[index].key: reason for index, reason in sorted(sheet.reasons.items())}
    sheet.features.setflags(write=False)
    return Result(sheet.catalogue, Quality(verdict, flags), sheet.features, absent)


def find(part: Part, wanted: Input) -> Stream | None:
    """Return the stream or the events of a part that an input names, or None where it or a column is missing."""
    held = (part.streams if wanted.of == "stream" else part.events).get(wanted.name)
    # Events of which none occurred have no columns either.
    complete = held is not None and (not len(held) or all(column in held for column in wanted.columns))
    return held if complete else None


def _missing(part: Part, wanted: Input) -> bool:
    """Tell whether a part lacks a required input. Events of which none occurred are not missing."""
    if wanted.instead and all(name in part.streams for name in wanted.instead):
        return False
    if wanted.of == "event" and wanted.name not in part.events:
        return any(defect.stream == wanted.name for defect in part.defects)
    return find(part, wanted) is None


def _has_rows(part: Part, wanted: Input) -> bool:
    """Tell whether a part carries at least one row of a required input, or of all that may stand in its place."""
    instead = [len(part.streams.get(name) or ()) for name in wanted.instead]
    return bool(instead and all(instead)) or bool(len(find(part, wanted) or ()))


def _usable_parts(assessment: Assessment, recording: Recording, out: Outcome) -> tuple[Part, ...]:
    """Return the parts that carry every required input with at least one row; flag the others."""
    required = [wanted for wanted in assessment.inputs if not wanted.optional]
    usable: list[Part] = []
    readable = 0
    for part in recording.parts:
        _refuse_wrong_kinds(assessment, part)
        missing = [wanted for wanted in required if _missing(part, wanted)]
        readable += not missing
        if not missing and all(_has_rows(part, wanted) for wanted in required):
            usable.append(part)
    if required and not readable:
        _refuse(recording, required)
    if usable and len(usable) < len(recording.parts):
        out.flag("part_without_data", parts=len(recording.parts), usable=len(usable))
    return tuple(usable)


def _refuse_wrong_kinds(assessment: Assessment, part: Part) -> None:
    """Raise for a column that holds texts where numbers are due, or numbers where texts are."""
    for wanted in assessment.inputs:
        held = find(part, wanted)
        for column in wanted.columns if held else ():
            if held is not None and (held[column].dtype.kind != "f") != (column in wanted.texts):
                due = "texts" if column in wanted.texts else "numbers"
                raise ColumnInvalid(f"{wanted.name}.{column} holds something else than {due}", at=wanted.place)


def _refuse(recording: Recording, required: list[Input]) -> None:
    """Raise for the first required input that no part carries: with the reader's reason where it has one."""
    for wanted in required:
        for part in recording.parts:
            for defect in part.defects:
                if defect.stream == wanted.name:
                    raise error_class(defect.code)(defect.detail, at=defect.at)
        if all(_missing(part, wanted) for part in recording.parts):
            either = f" (or {' and '.join(wanted.instead)})" if wanted.instead else ""
            raise StreamMissing(
                f"{recording.assessment} needs the {wanted.of} {wanted.name!r}{either}, "
                "which the recording does not have",
                at=wanted.place,
            )
    raise StreamMissing(f"{recording.assessment}: no part carries all of its inputs", at="/parts")


def _flag_unreadable(assessment: Assessment, recording: Recording, out: Outcome) -> None:
    """Note inputs that came but could not be read, with the quantities for which an input was missing."""
    sheet = out._sheet
    lacking = {sheet.catalogue.entries[i].quantity for i, reason in sheet.reasons.items() if reason == "input_missing"}
    names = {wanted.name for wanted in assessment.inputs}
    for index, part in enumerate(recording.parts):
        for defect in part.defects:
            told = {"stream": defect.stream, "code": defect.code, "part": index, "not_computed": sorted(lacking)[:20]}
            out.flag("input_unreadable", when=defect.stream in names, **told)


def _flag_disorder(assessment: Assessment, parts: tuple[Part, ...], out: Outcome) -> None:
    """Flag streams whose clock was disturbed; those that are optional are only noted."""
    needed = {name for wanted in assessment.inputs if not wanted.optional for name in (wanted.name, *wanted.instead)}
    for wanted in assessment.inputs:
        code = "time_disorder" if wanted.name in needed else "input_disordered"
        for part in parts:
            share = _disorder(find(part, wanted), wanted)
            out.flag(code, when=share > MOST_DISORDER, stream=wanted.name, share=round(share, 4))


def _disorder(stream: Stream | None, wanted: Input) -> float:
    """Return the share of a stream's time stamps that repeat or run backwards."""
    if wanted.of != "stream" or stream is None or len(stream) < 2 or "phase" in stream:
        return 0.0  # fingers are sampled at the same instant: their times repeat by right
    passed_s = np.diff(stream.t_s)
    if (passed_s > 0).all():
        return 0.0
    # A sample that was sent twice is no disorder, as some phones do with every one.
    changed = (np.diff(stream.matrix(*wanted.columns), axis=0) != 0).any(axis=1)
    return float(np.count_nonzero((passed_s < 0) | ((passed_s == 0) & changed))) / (len(stream) - 1)


def _flag_nothing_measured(out: Outcome) -> None:
    """Flag a recording that gave no score, unless it is invalid already: that names the cause."""
    sheet = out._sheet
    scored = any(np.isfinite(sheet.features[entry.index]) for entry in sheet.catalogue.scores)
    known_why = any(flag.severity == "error" for flag in sheet.flags.values())
    out.flag("nothing_measured", when=not scored and not known_why)


def _flag_implausible(out: Outcome) -> None:
    sheet = out._sheet
    low, high = sheet.catalogue.plausible_bounds
    outside = np.flatnonzero((sheet.features < low) | (sheet.features > high))
    entries = [sheet.catalogue.entries[index] for index in outside]
    scores = [entry.key for entry in entries if entry.score]
    others = [entry.key for entry in entries if not entry.score]
    out.flag("implausible_value", when=bool(others), count=len(others), measures=others[:20])
    out.flag("implausible_score", when=bool(scores), count=len(scores), measures=scores)
