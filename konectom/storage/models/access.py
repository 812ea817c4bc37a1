"""Who may come in, and with what. Of secrets only a hash is kept, or what is sealed under the installation's key."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from konectom.storage.models.base import SECRET, Base


class User(Base):
    """A member of staff, with a password of this installation, or known to an OpenID provider, or both.

    From ``reset_at`` on, nothing but an invitation opens the account. ``totp_step`` is the last time step whose code
    was used, so that none is used twice. ``failures`` counts wrong passwords, and codes after a password;
    ``provider_failures`` wrong codes of whom an OpenID provider let in.
    """

    __tablename__ = "user"
    __table_args__ = (Index(None, "issuer", "subject", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str | None] = mapped_column(info=SECRET)
    password_set_at: Mapped[datetime | None]
    reset_at: Mapped[datetime | None]
    totp_sealed: Mapped[bytes | None] = mapped_column(info=SECRET)
    totp_confirmed_at: Mapped[datetime | None]
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    issuer: Mapped[str | None]
    subject: Mapped[str | None]
    failures: Mapped[int]
    locked_until: Mapped[datetime | None]
    provider_failures: Mapped[int] = mapped_column(default=0)
    provider_locked_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code that stands in once for a lost second factor."""

    __tablename__ = "recovery_code"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id"), index=True)
    code_hash: Mapped[str] = mapped_column(info=SECRET)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Invitation(Base):
    """A code with which a member of staff sets a password, once: nobody else ever knows it."""

    __tablename__ = "invitation"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id"), index=True)
    code_hash: Mapped[str] = mapped_column(unique=True, info=SECRET)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class GrantRow(Base):
    """A role that a user holds: everywhere, in a study, or at one site of it. Ended rather than removed."""

    __tablename__ = "grant"
    __table_args__ = (Index(None, "user_id", "ended_at"), Index(None, "study_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id"))
    role: Mapped[str]
    study_id: Mapped[UUID | None] = mapped_column(ForeignKey("study.id"))
    site_id: Mapped[UUID | None] = mapped_column(ForeignKey("site.id"), index=True)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class CareTeam(Base):
    """Who cares for whom: a clinician sees the patients of the teams that he or she belongs to."""

    __tablename__ = "care_team"
    __table_args__ = (Index(None, "study_id", "name", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("study.id"))
    name: Mapped[str]
    created_at: Mapped[datetime]


class CareMember(Base):
    """A user in a care team."""

    __tablename__ = "care_member"

    team_id: Mapped[UUID] = mapped_column(ForeignKey("care_team.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id"), primary_key=True, index=True)
    since: Mapped[datetime]


class CarePatient(Base):
    """A patient of a care team."""

    __tablename__ = "care_patient"

    team_id: Mapped[UUID] = mapped_column(ForeignKey("care_team.id"), primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), primary_key=True, index=True)
    since: Mapped[datetime]


class BreakGlass(Base):
    """A clinician's access, in an emergency, to a patient of the study outside of his or her care teams."""

    __tablename__ = "break_glass"
    __table_args__ = (Index(None, "user_id", "patient_id", "expires_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id"))
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"), index=True)
    at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Login(Base):
    """A user who is in, through a page's cookie or a token of the REST interface; ``method`` says how he came in."""

    __tablename__ = "login"
    __table_args__ = (Index(None, "user_id", "ended_at"),)
    UNAUDITED_COLUMNS = frozenset({"seen_at"})  # each request moves it on, and is told itself

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id"))
    token_hash: Mapped[str] = mapped_column(unique=True, info=SECRET)
    method: Mapped[str]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ServiceToken(Base):
    """What a program may do, in one study or in all: these permissions, until it expires or is revoked.

    ``created_by`` is the user who made it, on whose being an administrator it depends; None: the operator's command.
    """

    __tablename__ = "service_token"
    __table_args__ = (Index(None, "created_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    study_id: Mapped[UUID | None] = mapped_column(ForeignKey("study.id"))
    permissions: Mapped[list[str]]
    token_hash: Mapped[str] = mapped_column(unique=True, info=SECRET)
    created_at: Mapped[datetime]
    created_by: Mapped[UUID | None]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Enrolment(Base):
    """A code with which one phone becomes a patient's, once."""

    __tablename__ = "enrolment"
    __table_args__ = (Index(None, "patient_id", "created_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patient.id"))
    code_hash: Mapped[str] = mapped_column(unique=True, info=SECRET)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    device_id: Mapped[UUID | None] = mapped_column(ForeignKey("device.id"), index=True)
    revoked_at: Mapped[datetime | None]


class DeviceCredential(Base):
    """What a phone holds: one token that opens, for a short time, and one that renews it. There is never a second."""

    __tablename__ = "device_credential"

    device_id: Mapped[UUID] = mapped_column(ForeignKey("device.id"), primary_key=True)
    renewal_hash: Mapped[str] = mapped_column(unique=True, info=SECRET)
    access_hash: Mapped[str] = mapped_column(unique=True, info=SECRET)
    access_expires_at: Mapped[datetime]
    renewal_expires_at: Mapped[datetime]
    renewed_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_for: Mapped[str | None]


class Renewal(Base):
    """A renewal that was made, so that its repetition is told from a theft."""

    __tablename__ = "renewal"
    __table_args__ = (Index(None, "device_id", "at"),)
    AUDITED = False  # the change of the credential is

    from_hash: Mapped[str] = mapped_column(primary_key=True, info=SECRET)
    device_id: Mapped[UUID] = mapped_column(ForeignKey("device.id"))
    to_hash: Mapped[str] = mapped_column(info=SECRET)
    at: Mapped[datetime]
