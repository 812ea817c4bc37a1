"""What others found: clinical scales, laboratory values, relapses, treatments."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from konectom.api.schemas import WITHHELD, Described
from konectom.api.schemas.pages import Instant, Page, PageQuery, Query

CODE = {"description": "A scale's code; `/scales` lists them.", "example": "edss"}


class NewObservation(Schema):
    """An observation to be kept."""

    code = fields.String(required=True, metadata=CODE)
    at = Instant(
        local=True, required=True, metadata={"description": "When it was found, with the offset from UTC of the place."}
    )
    values = fields.Dict(
        keys=fields.String(),
        required=True,
        metadata={
            "description": "Each component's value: a number, a text, or `{value, unit}` in another accepted unit.",
            "example": {"step": 3.5},
        },
    )
    source = fields.String(metadata={"description": "Who or what it comes from.", "maxLength": 200})
    reference = fields.String(metadata={"description": "The source's own name for it.", "maxLength": 200})
    note = fields.String(metadata={"maxLength": 2000})


class ObservedScore(Described):
    """A number that follows from an observation."""

    key = fields.String(required=True, metadata={"example": "obs.edss.step"})
    value = fields.Float(required=True)
    unit = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "UCUM; null where the scale's rules have changed since.", "example": "1"},
    )
    band = fields.String(
        required=True, allow_none=True, metadata={"description": "Where it lies among the scale's cut-offs, if any."}
    )


class Observation(Described):
    """What was found, as it was given, and what follows from it."""

    id = fields.UUID(required=True)
    patient = fields.UUID(required=True)
    code = fields.String(required=True, metadata=CODE)
    at = fields.AwareDateTime(required=True)
    values = fields.Dict(keys=fields.String(), required=True)
    scores = fields.List(fields.Nested(ObservedScore), required=True)
    version = fields.Integer(required=True, metadata={"description": "Version of the scale's rules."})
    absent = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "Why a number of the scale could not be had."},
    )
    flags = fields.List(fields.Dict(), required=True)
    source = fields.String(required=True)
    reference = fields.String(required=True)
    note = fields.String(required=True)
    entered_at = fields.AwareDateTime(required=True)
    retracted_at = fields.AwareDateTime(required=True, allow_none=True)
    retracted_for = fields.String(required=True, allow_none=True)


class ObservationPage(Page):
    """A page of observations, oldest first."""

    items = fields.List(fields.Nested(Observation), required=True)
    withheld = fields.List(fields.String(), required=True, metadata=WITHHELD)


class ObservationsQuery(PageQuery):
    """Which observations."""

    code = fields.String(metadata=CODE)
    retracted = fields.Boolean(metadata={"description": "Also those that were taken back."})


class Retraction(Schema):
    """Why an observation is taken back."""

    reason = fields.String(required=True, validate=validate.Length(min=1, max=200))


class ImportQuery(Query):
    """How to read what is imported."""

    time_zone = fields.String(
        metadata={
            "description": "IANA zone of times that carry no offset, and of plain dates.",
            "example": "Europe/Paris",
        },
    )


class ImportProblem(Described):
    """Something that could not be used."""

    at = fields.String(
        required=True, metadata={"description": "Pointer to where it stands; in a table `/lines/<number>/<column>`."}
    )
    code = fields.String(required=True, metadata={"description": "The error's code."})
    detail = fields.String(required=True)


class Imported(Described):
    """What came of an import. What cannot be used never costs the others."""

    entered = fields.Integer(required=True)
    already_there = fields.Integer(required=True)
    retracted = fields.Integer(
        required=True, metadata={"description": "Were there, and were retracted since: they stay so."}
    )
    problem_count = fields.Integer(required=True)
    problems = fields.List(
        fields.Nested(ImportProblem),
        required=True,
        metadata={"description": "In the order of what was sent; of very many the first."},
    )
    skipped = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "What was no observation, by kind."},
    )


class Component(Described):
    """One value that a scale takes."""

    name = fields.String(required=True)
    title = fields.String(required=True)
    kind = fields.String(required=True, metadata={"description": "A number, yes_no, a choice, a date, a text ..."})
    units = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Accepted ones; it is kept in the first. With one, a unit has to be said."},
    )
    possible = fields.List(fields.Float(), required=True, allow_none=True)
    choices = fields.List(fields.String(), required=True)
    required = fields.Boolean(required=True)


class Quantity(Described):
    """One number that follows from a scale."""

    key = fields.String(required=True, metadata={"example": "obs.edss.step"})
    unit = fields.String(required=True)
    better = fields.String(required=True, allow_none=True, validate=validate.OneOf(("higher", "lower", None)))
    plausible = fields.List(fields.Float(), required=True)
    score = fields.Boolean(required=True, metadata={"description": "Whether clinicians follow it over time."})
    means = fields.String(required=True)
    evidence = fields.String(required=True)


class Scale(Described):
    """What can be observed: the values it takes, and the numbers that follow."""

    code = fields.String(required=True, metadata=CODE)
    title = fields.String(required=True)
    version = fields.Integer(required=True)
    domain = fields.String(required=True)
    description = fields.String(required=True)
    source = fields.String(required=True)
    licence = fields.String(required=True)
    components = fields.List(fields.Nested(Component), required=True)
    quantities = fields.List(fields.Nested(Quantity), required=True)


class Scales(Described):
    """All scales, by code."""

    items = fields.List(fields.Nested(Scale), required=True)
