"""Studies and patients."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from konectom.api.schemas import Described
from konectom.api.schemas.pages import Page, PageQuery
from konectom.workflows.patients import people

CODE = {"description": "1 to 64 letters, digits, points, hyphens or underscores.", "example": "MS-001"}
NEW_CODE = CODE | {"pattern": f"^{people.CODE.pattern}$"}

CONSENT = {
    "description": "`here`, by default: an upload needs the patient's consent to each type of data that it carries. "
    "`elsewhere`: consent is kept on paper; refusals, withdrawals and restrictions that are entered count all the same."
}


class NewStudy(Schema):
    """A study to be made."""

    code = fields.String(required=True, metadata=NEW_CODE | {"example": "GAIT-2"})
    name = fields.String(metadata={"example": "Gait in early MS", "maxLength": 200})
    consent = fields.String(validate=validate.OneOf(people.CONSENT), metadata=CONSENT)


class Study(Described):
    """The scope of people and data."""

    id = fields.UUID(required=True)
    code = fields.String(required=True, metadata=CODE)
    name = fields.String(required=True)
    consent = fields.String(required=True, validate=validate.OneOf(people.CONSENT), metadata=CONSENT)
    retain_until = fields.Date(
        required=True,
        allow_none=True,
        metadata={"description": "The last day on which the patients' data are kept; null where none is set."},
    )
    created_at = fields.AwareDateTime(required=True)


class StudyChange(Schema):
    """What of a study is to be another; what is not named stays."""

    reason = fields.String(required=True, metadata={"example": "ten years after the end", "maxLength": 500})
    consent = fields.String(validate=validate.OneOf(people.CONSENT), metadata=CONSENT)
    retain_until = fields.Date(allow_none=True, metadata={"example": "2036-12-31"})


class StudyPage(Page):
    """A page of studies."""

    items = fields.List(fields.Nested(Study), required=True)


class Demographics(Schema):
    """What norms may use; all of it optional."""

    birth_year = fields.Integer(strict=True, allow_none=True, metadata={"example": 1980, "minimum": 1890})
    sex = fields.String(allow_none=True, validate=validate.OneOf((*people.SEXES, None)))
    education_years = fields.Float(allow_none=True, metadata={"minimum": 0, "maximum": 40})
    height_m = fields.Float(allow_none=True, metadata={"example": 1.72, "minimum": 0.3, "maximum": 2.6})
    mass_kg = fields.Float(allow_none=True, metadata={"minimum": 2, "maximum": 500})
    handedness = fields.String(allow_none=True, validate=validate.OneOf((*people.HANDS, None)))


class NewPatient(Demographics):
    """A patient to be made. Identity does not belong here: the code is a pseudonym."""

    study = fields.UUID(required=True)
    site = fields.UUID(attribute="site_id", allow_none=True)
    code = fields.String(required=True, metadata=NEW_CODE)


class PatientChange(Demographics):
    """What is to be changed of a patient; what is not named stays."""

    site = fields.UUID(attribute="site_id", allow_none=True)
    reason = fields.String(metadata={"description": "Why, for the audit.", "maxLength": 200})


class Patient(Described):
    """A pseudonymous person in a study."""

    id = fields.UUID(required=True)
    study = fields.UUID(required=True)
    site = fields.UUID(required=True, allow_none=True)
    code = fields.String(required=True, metadata=CODE)
    birth_year = fields.Integer(required=True, allow_none=True)
    sex = fields.String(required=True, allow_none=True, validate=validate.OneOf((*people.SEXES, None)))
    education_years = fields.Float(required=True, allow_none=True)
    height_m = fields.Float(required=True, allow_none=True)
    mass_kg = fields.Float(required=True, allow_none=True)
    handedness = fields.String(required=True, allow_none=True, validate=validate.OneOf((*people.HANDS, None)))
    created_at = fields.AwareDateTime(required=True)
    restricted_at = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "Since when what is kept is neither shown nor used. What norms need is then null."},
    )


class PatientPage(Page):
    """A page of patients."""

    items = fields.List(fields.Nested(Patient), required=True)


class PatientsQuery(PageQuery):
    """Which patients to list."""

    study = fields.UUID(metadata={"description": "Only those of this study."})
    code = fields.String(metadata={"description": "Only the one of this code."})
