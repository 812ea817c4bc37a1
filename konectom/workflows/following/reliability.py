"""How reliable the scores of a study are: what its own values say, and how that becomes the noise of its trends."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import BigInteger, ColumnElement, and_, literal, select, type_coerce
from sqlalchemy.orm import Session

from konectom.assessments import every_assessment
from konectom.errors import FieldInvalid
from konectom.scoring.change import Noise
from konectom.scoring.policy import Policy
from konectom.scoring.reliability.design import Design, Windows
from konectom.scoring.reliability.study import ScoreReliability, study_reliability
from konectom.scoring.reliability.table import StudyTable
from konectom.scoring.scales import every_scale
from konectom.scoring.series import Score
from konectom.security.principal import EVERYTHING, Scope
from konectom.storage.models import (
    CatalogueRow,
    MeasureRow,
    NoiseRow,
    ObservedRow,
    Patient,
    RecordingRow,
    ResultRow,
    ScoreRow,
    SessionRow,
)
from konectom.storage.queries import IS_CURRENT
from konectom.storage.scopes import patients_in
from konectom.storage.types import US_PER_DAY
from konectom.workflows.consent.withheld import keys_shown
from konectom.workflows.following.policies import policy_of
from konectom.workflows.following.reliability_design import DEFAULT_LABELS, design_of, refuse_observed
from konectom.workflows.patients.people import find_study
from konectom.workflows.services import Services

SCORES_MAX = 50
"""Most scores of one question."""

ROWS = 10_000
"""Rows that come from the database at one time."""

LEAST_VERDICTS = {"valid": ("valid",), "limited": ("valid", "limited")}
"""Which recordings count, by the least verdict that does."""

ATTRIBUTES = ("sex", "handedness")
"""What groups of patients can go by."""


@dataclass(frozen=True, slots=True)
class StudyReliability:
    """The reliability of some scores of a study, and the versions of their assessments among the values."""

    study_id: UUID
    design: Design
    verdicts: tuple[str, ...]
    scores: tuple[ScoreReliability, ...]
    versions: Mapping[str, tuple[int, ...]]

    def as_dict(self) -> dict[str, Any]:
        """Return it as it goes over the wire."""
        declared = declared_scores()
        told = []
        for score in self.scores:
            about = declared.get(score.key)
            told.append(
                {
                    **score.as_dict(),
                    "title": None if about is None else about.title,
                    "unit": None if about is None else about.unit,
                    "better": None if about is None else about.better,
                    "versions": list(self.versions.get(score.key, ())),
                }
            )
        head = {"study": str(self.study_id), "design": self.design.as_dict(), "verdicts": list(self.verdicts)}
        return head | {"scores": told}


def reliability_of_study(
    services: Services,
    study_id: UUID,
    measures: Sequence[str],
    words: Mapping[str, Any],
    *,
    verdict: str | None = None,
    scope: Scope = EVERYTHING,
    observed: bool = True,
) -> StudyReliability:
    """Return the reliability of a study's scores, of its patients within ``scope``.

    ``measures`` are keys of scores, or quantities for all of their scores; ``words`` are those of :func:`design_of`,
    and ``verdict`` the least that counts. What they leave open is as the study's policy has it, so that what is
    compared is what its trends compare. Values are those of each recording's newest result; ``versions`` tells where
    assessments of several versions computed them. Raises :class:`NotFound`, :class:`FieldInvalid` for what is no
    score or no design, and, without ``observed``, :class:`~konectom.errors.NotPermitted` where clinicians found it.
    """
    whose = and_(Patient.study_id == study_id, patients_in(scope, services.clock()))
    with services.db.read(within=services.settings.export_time_limit) as db:
        policy = policy_of(find_study(db, study_id))
        verdicts = policy.verdicts if verdict is None else _least(verdict)
        known = _known_keys(db)
        wanted = _keys(known, measures)
        design = _design(policy, words, wanted)
        if not observed:
            refuse_observed(wanted, design)
        for key in design.every_reference:
            if key not in known:
                raise FieldInvalid(f"there is no score {key!r}", at="/query/references")
        attributes = _attributes(db, whose)
        references = stored_values(db, whose, design.every_reference)
        scores: list[ScoreReliability] = []
        versions: dict[str, tuple[int, ...]] = {}
        for key in wanted:  # one at a time: memory holds the values of one score and the references
            others = [row for row in references if row.key != key]
            rows = stored_values(db, whose, (key,))
            versions[key] = tuple(sorted({row.version for row in rows if row.verdict in verdicts}))
            scores += study_reliability(_table([*rows, *others], verdicts, attributes), design, (key,))
    return StudyReliability(study_id, design, tuple(verdicts), tuple(scores), versions)


def keep_noise(services: Services, found: StudyReliability) -> list[str]:
    """Keep the measurement error of each score as the study's own noise, by which its trends tell change from noise.

    Kept is the SEM of agreement: a shift between windows is no change of a patient. Returns the keys; scores of which
    there is no SEM are left out. Raises :class:`FieldInvalid` unless the repeats are windows, which is what trends
    compare.
    """
    repeats = found.design.repeats
    if not isinstance(repeats, Windows):
        raise FieldInvalid(
            "only a study of windows tells the noise of trends, which compare windows", at="/query/repeats"
        )
    kept = []
    with services.db.write() as db:
        numbers = {row.key: row.id for row in db.scalars(select(MeasureRow))}
        for score in found.scores:
            sem = score.agreement.sem.value
            if sem is None or score.key not in numbers:
                continue
            noise = Noise(
                sem=sem,
                basis="study",
                source=_source(repeats),
                icc=score.icc["ICC(2,1)"].value,
                sd=score.sd,
                n=score.icc.one_way.patients if score.icc.one_way else None,
            )
            row = NoiseRow(
                id=uuid4(),
                study_id=found.study_id,
                measure_id=numbers[score.key],
                computed_at=services.clock(),
                told=noise.as_dict() | {"window_days": repeats.window_days, "tests_min": repeats.tests_min},
            )
            db.add(row)
            kept.append(score.key)
    return kept


def declared_scores() -> dict[str, Score]:
    """Return every declared score by its key: those of assessments first, then those of observations."""
    found = {}
    for each in every_assessment().values():
        for entry in each.catalogue.scores:
            found[entry.key] = Score.of_entry(entry, title=each.title, domain=each.domain)
    for scale in every_scale().values():
        for quantity in scale.quantity:
            score = Score.of_scale(scale, quantity)
            found[score.key] = score
    return found


class StoredValue(NamedTuple):
    """One value as the study takes it: of the patient with this code, ``at_us`` microseconds since 1970 in UTC."""

    patient: str
    key: str
    at_us: int
    value: float
    verdict: str
    version: int
    supervised: bool | None


def stored_values(db: Session, whose: ColumnElement[bool], keys: Collection[str]) -> list[StoredValue]:
    """Return values of some scores of those patients, whatever their verdict, of each recording's newest result.

    What may not be shown at present is left out.
    """
    if not keys:
        return []
    computed = (
        select(
            Patient.code,
            MeasureRow.key,
            type_coerce(ScoreRow.at, BigInteger),
            ScoreRow.value,
            ScoreRow.verdict,
            CatalogueRow.version,
            SessionRow.supervised,
        )
        .join(ScoreRow, ScoreRow.patient_id == Patient.id)
        .join(MeasureRow, MeasureRow.id == ScoreRow.measure_id)
        .join(CatalogueRow, CatalogueRow.id == ScoreRow.catalogue_id)
        .join(SessionRow, SessionRow.id == ScoreRow.session_id)
        .join(RecordingRow, (RecordingRow.session_id == ScoreRow.session_id) & (RecordingRow.index == ScoreRow.index))
        .join(
            ResultRow, (ResultRow.recording_id == RecordingRow.id) & (ResultRow.catalogue_id == ScoreRow.catalogue_id)
        )
        .where(whose, keys_shown(keys), IS_CURRENT)
    )
    observed = (
        select(
            Patient.code,
            MeasureRow.key,
            type_coerce(ObservedRow.at, BigInteger),
            ObservedRow.value,
            literal("valid"),
            ObservedRow.version,
            literal(None),
        )
        .join(ObservedRow, ObservedRow.patient_id == Patient.id)
        .join(MeasureRow, MeasureRow.id == ObservedRow.measure_id)
        .where(whose, keys_shown(keys))
    )
    at_once = {"yield_per": ROWS}
    return [StoredValue(*row) for each in (computed, observed) for row in db.execute(each, execution_options=at_once)]


def _design(policy: Policy, words: Mapping[str, Any], keys: Sequence[str]) -> Design:
    """Return the design; what its words leave open is as the policy has it."""
    declared = declared_scores()
    runs = {key: policy.run_in_of(declared[key]).runs for key in keys if key in declared}
    usual: dict[str, Any] = {"statistic": policy.statistic, "run_in": runs}
    if words.get("repeats") in (None, "windows"):
        usual |= {"window_days": policy.window_days, "tests_min": policy.tests_min}
    return design_of(**usual | {name: told for name, told in words.items() if told is not None})


def _least(verdict: str) -> tuple[str, ...]:
    if verdict not in LEAST_VERDICTS:
        raise FieldInvalid(f"the least verdict is valid or limited, not {verdict!r}", at="/query/verdict")
    return LEAST_VERDICTS[verdict]


def _known_keys(db: Session) -> list[str]:
    """Return the keys of all scores: the declared ones in their order, then what is stored besides."""
    return list(dict.fromkeys([*declared_scores(), *db.scalars(select(MeasureRow.key).order_by(MeasureRow.key))]))


def _keys(known: Sequence[str], measures: Sequence[str]) -> list[str]:
    """Return the keys that are asked for, each once."""
    found: dict[str, None] = {}
    for measure in measures:
        meant = [key for key in known if measure in (key, _quantity(key))]
        if not meant:
            raise FieldInvalid(f"there is no score {measure!r}; /measures?score=true lists them", at="/query/measure")
        found |= dict.fromkeys(meant)
    if not 1 <= len(found) <= SCORES_MAX:
        raise FieldInvalid(f"ask for 1 to {SCORES_MAX} scores; these are {len(found)}", at="/query/measure")
    return list(found)


def _quantity(key: str) -> str:
    """Return ``assessment.quantity`` of a key."""
    return ".".join(key.split("[", 1)[0].split(".")[:2])


def _attributes(db: Session, whose: ColumnElement[bool]) -> dict[str, dict[str, str]]:
    columns = [getattr(Patient, name) for name in ATTRIBUTES]
    found: dict[str, dict[str, str]] = {name: {} for name in ATTRIBUTES}
    for code, *levels in db.execute(select(Patient.code, *columns).where(whose, Patient.restricted_at.is_(None))):
        for name, level in zip(ATTRIBUTES, levels, strict=True):
            if level is not None:
                found[name][code] = level
    return found


def _table(
    rows: Sequence[StoredValue], verdicts: Collection[str], attributes: Mapping[str, Mapping[str, str]]
) -> StudyTable:
    """Return the long table; a value whose verdict does not count is missing, but was a run all the same."""
    supervised, unsupervised = DEFAULT_LABELS
    labels = {True: supervised, False: unsupervised, None: ""}
    return StudyTable(
        patient=np.array([row.patient for row in rows], dtype=np.str_),
        key=np.array([row.key for row in rows], dtype=np.str_),
        at_day=np.array([row.at_us for row in rows], dtype=np.int64) / US_PER_DAY,
        value=np.array([row.value if row.verdict in verdicts else np.nan for row in rows], dtype=np.float64),
        label=np.array([labels[row.supervised] for row in rows], dtype=np.str_),
        attributes=attributes,
    )


def _source(repeats: Windows) -> str:
    return (
        f"This study's own repeats: the first {repeats.count} windows of {repeats.window_days:g} days after the run-in."
    )
