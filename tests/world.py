"""An installation with two studies, and one of every kind of caller and thing, to see who reaches what.

Study ``here`` has two sites, study ``there`` one. The oracle says what a caller may reach in plain sets and
comparisons; of the program it uses nothing but the declared matrix.
"""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson

from konectom.errors import NotJson
from konectom.security.matrix import MATRIX
from konectom.security.secrets import hash_of, new_secret
from konectom.storage.models import (
    Alert,
    BreakGlass,
    CareMember,
    CarePatient,
    CareTeam,
    Consent,
    ConsentForm,
    Enrolment,
    Erasure,
    GrantRow,
    Login,
    QuarantineRow,
    Site,
    User,
)
from konectom.workflows.access.service_tokens import issue_service_token, revoke_service_token
from konectom.workflows.campaigns.decisions import plan_campaign
from konectom.workflows.observations.entering import enter_observation
from konectom.workflows.patients.devices import revoke_device
from konectom.workflows.patients.enrolments import enrol_device
from konectom.workflows.patients.people import create_patient, create_study
from konectom.workflows.patients.schedules import create_schedule
from konectom.workflows.services import Services
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.uploads.opening import Wanted, open_upload

TAPS = [{"type": "tap", "t": 0.2 * i, "zone": ("left", "right")[i % 2]} for i in range(1, 40)]


def tapping(device: str) -> bytes:
    """A session with taps, from a phone of this model."""
    part = {"condition": {"hand": "left"}, "start_s": 0.0, "duration_s": 20.0, "events": TAPS}
    return orjson.dumps(
        {
            "schema": "konectom.session/1",
            "started_at": "2026-11-20T09:00:00+01:00",
            "device": {"platform": "ios", "model": device, "os": "19", "app": "1"},
            "recordings": [{"assessment": "tap", "duration_s": 20.0, "parts": [part]}],
        }
    )


@dataclass(frozen=True)
class Place:
    """A patient with study and site, and the ids of all that is the patient's or the study's, by the address's name."""

    name: str
    study: UUID
    site: UUID | None
    patient: UUID
    ids: dict[str, Any]
    code: str = "NOBODY"
    marks: frozenset[str] = frozenset()
    """Texts that tell of this patient and of no other."""


@dataclass(frozen=True)
class Who:
    """A caller: the role, where it was granted, and of which patients the caller takes care.

    ``emergency`` are those for whom he or she broke the glass, which opens what is declared to be for emergencies.
    """

    name: str
    role: str
    token: str
    study: UUID | None = None
    site: UUID | None = None
    patient: UUID | None = None
    care: frozenset[UUID] = frozenset()
    emergency: frozenset[UUID] = frozenset()
    permissions: frozenset[str] | None = None

    def has(self, permission: str) -> str | None:
        """How far the caller has a permission, None if not at all."""
        if self.permissions is not None and permission not in self.permissions:
            return None
        return MATRIX[permission].reach.get(self.role)

    def reaches(self, permission: str, place: Place) -> bool:
        """Whether the patient at ``place`` lies within."""
        match self.has(permission):
            case "everything":
                return self.study is None
            case "own":
                return self.patient is not None and self.patient == place.patient
            case "study":
                return self.study in (None, place.study) and self.site in (None, place.site)
            case "care":
                seen = self.care | self.emergency if MATRIX[permission].emergency else self.care
                return self.study == place.study and self.site in (None, place.site) and place.patient in seen
        return False

    def reaches_study(self, permission: str, place: Place) -> bool:
        """Whether the study at ``place`` lies within, or the whole of it where the permission is of a whole study."""
        whole = MATRIX[permission].whole
        match self.has(permission):
            case "everything":
                return self.study is None
            case "study" | "care":
                return self.study in (None, place.study) and (self.site is None or not whole)
        return False


@dataclass(frozen=True)
class Both:
    """A caller with two roles, who reaches what either of them reaches."""

    name: str
    first: Who
    second: Who

    @property
    def role(self) -> str:
        """One of the roles: both are of the same kind of caller."""
        return self.first.role

    @property
    def token(self) -> str:
        """The token, which is the same for both."""
        return self.first.token

    @property
    def study(self) -> UUID | None:
        """The study of one of the roles."""
        return self.first.study

    def has(self, permission: str) -> str | None:
        """How far the caller has a permission, None if not at all."""
        return self.first.has(permission) or self.second.has(permission)

    def reaches(self, permission: str, place: Place) -> bool:
        """Whether the patient at ``place`` lies within."""
        return self.first.reaches(permission, place) or self.second.reaches(permission, place)

    def reaches_study(self, permission: str, place: Place) -> bool:
        """Whether the study at ``place`` lies within."""
        return self.first.reaches_study(permission, place) or self.second.reaches_study(permission, place)


@dataclass
class World:
    """The places by name, and the callers."""

    services: Services
    places: dict[str, Place] = field(default_factory=dict)
    callers: list[Who | Both] = field(default_factory=list)
    bad_tokens: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Roll back whatever is written meanwhile."""
        write = type(self.services.db).write

        @contextmanager
        def rolled_back(db: Any) -> Iterator[Any]:
            with write(db) as session:
                yield session
                session.flush()
                session.rollback()

        type(self.services.db).write = rolled_back  # type: ignore[method-assign]
        try:
            yield
        finally:
            type(self.services.db).write = write  # type: ignore[method-assign]


def build(services: Services) -> World:
    """Make the world."""
    world = World(services)
    here = UUID(create_study(services, code="HERE", consent="elsewhere")["id"])
    there = UUID(create_study(services, code="THERE", consent="elsewhere")["id"])
    sites = {(here, "N"): uuid4(), (here, "S"): uuid4(), (there, "N"): uuid4()}
    with services.db.write() as db:
        for (study, code), site in sites.items():
            db.add(Site(id=site, study_id=study, code=code, name=code, created_at=services.clock()))
    for name, study, code in (
        ("own", here, "N"),
        ("same site", here, "N"),
        ("other site", here, "S"),
        ("other study", there, "N"),
    ):
        world.places[name] = _place(services, name, study, sites[study, code])
    own = world.places["own"]
    world.places["nowhere"] = _nowhere(own)
    _phones(world)
    _staff(world, here, there, sites)
    _programs(world, here, there)
    _bad_tokens(world)
    return world


def _place(services: Services, name: str, study: UUID, site: UUID) -> Place:
    code = f"MARK-{uuid4().hex[:10]}"
    patient = UUID(create_patient(services, study_id=study, code=code, site_id=site, birth_year=1900)["id"])
    model = f"Model-{uuid4().hex[:10]}"
    phone = enrol_device(services, patient_id=patient, model=model)
    session_id = uuid4()
    ingest_session(services, session_id=session_id, patient_id=patient, device_id=phone.device_id, body=tapping(model))
    with contextlib.suppress(NotJson):
        ingest_session(services, session_id=uuid4(), patient_id=patient, device_id=phone.device_id, body=model.encode())
    with services.db.read() as db:
        quarantined = db.query(QuarantineRow.id).filter_by(patient_id=patient).scalar()
    note = f"note {uuid4().hex}"
    entered = enter_observation(
        services, patient, code="edss", at=services.clock() - timedelta(days=3), values={"step": 3.5}, note=note
    )
    begun = open_upload(
        services,
        Wanted(
            session_id=uuid4(), patient_id=patient, device_id=phone.device_id, length=100, told="", media_type=None,
            encoding=None, digest=None,
        ),
    )  # fmt: skip
    now, gone = services.clock(), uuid4()
    ids = {name: uuid4() for name in ("alert_id", "enrolment_id", "form_id", "team_id", "erasure_id")}
    with services.db.write() as db:
        db.add(
            Alert(
                id=ids["alert_id"], study_id=study, patient_id=patient, kind="lapse", key="tap", at=now,
                told={"message": "m", "evidence": {}}, found_at=now,
            )
        )  # fmt: skip
        db.add(
            Enrolment(
                id=ids["enrolment_id"], patient_id=patient, code_hash=hash_of(new_secret("enrolment")), created_at=now,
                expires_at=now + timedelta(days=7),
            )
        )  # fmt: skip
        db.add(
            ConsentForm(
                id=ids["form_id"], study_id=study, version=uuid4().hex[:8], title="t", text="t", data_types=["touch"],
                created_at=now,
            )
        )  # fmt: skip
        db.flush()
        db.add(
            Consent(
                id=uuid4(), patient_id=patient, form_id=ids["form_id"], data_type="touch", state="given",
                decided_at=now, entered_at=now,
            )
        )  # fmt: skip
        db.add(CareTeam(id=ids["team_id"], study_id=study, name=f"Team {uuid4().hex[:6]}", created_at=now))
        db.add(
            Erasure(
                id=ids["erasure_id"], study_id=study, patient_id=gone, erased_at=now,
                certificate={"id": str(ids["erasure_id"]), "patient": str(gone), "reason": "withdrawn"},
            )
        )  # fmt: skip
        db.flush()
        db.add(CarePatient(team_id=ids["team_id"], patient_id=patient, since=now))
    campaign = plan_campaign(services, study=study)
    due = create_schedule(services, study, assessment="tap", patient=patient, start="2026-11-02")
    ids |= {
        "schedule_id": UUID(due["id"]),
        "campaign_id": UUID(campaign["id"]),
        "patient_id": patient,
        "study_id": study,
        "session_id": session_id,
        "quarantine_id": quarantined,
        "upload_id": UUID(begun["id"]),
        "device_id": phone.device_id,
        "observation_id": UUID(entered.observation["id"]),
        "site_id": site,
    }
    texts = (
        ids[each] for each in ("patient_id", "session_id", "upload_id", "quarantine_id", "device_id", "observation_id")
    )
    marks = {
        code,
        model,
        note,
        *map(str, texts),
        str(ids["alert_id"]),
        str(ids["schedule_id"]),
        str(ids["enrolment_id"]),
        str(gone),
    }
    return Place(name, study, site, patient, ids, code, frozenset(marks))


def _nowhere(like: Place) -> Place:
    ids = {name: uuid4() for name in like.ids}
    return Place("nowhere", ids["study_id"], ids["site_id"], ids["patient_id"], ids)


def _phones(world: World) -> None:
    for name in ("own", "other study"):
        place = world.places[name]
        phone = enrol_device(world.services, patient_id=place.patient)
        world.callers.append(
            Who(f"phone of {name}", "device", phone.access_token, study=place.study, patient=place.patient)
        )


def user(services: Services, role: str, *, study: UUID | None = None, site: UUID | None = None) -> tuple[UUID, str]:
    """Make a user with a role who has logged in; return the id and the token. No password is involved."""
    now, user_id, token = services.clock(), uuid4(), new_secret("login")
    with services.db.write() as db:
        db.add(User(id=user_id, login=f"{user_id.hex[:8]}@example.org", name=role, failures=0, created_at=now))
        db.flush()
        db.add(GrantRow(id=uuid4(), user_id=user_id, role=role, study_id=study, site_id=site, created_at=now))
        db.add(
            Login(
                id=uuid4(), user_id=user_id, token_hash=hash_of(token), method="oidc+mfa", created_at=now, seen_at=now,
                expires_at=now + timedelta(hours=12),
            )
        )  # fmt: skip
    return user_id, token


def _staff(world: World, here: UUID, there: UUID, sites: dict[Any, UUID]) -> None:
    services, now = world.services, world.services.clock()
    user_id, token = user(services, "administrator")
    world.callers.append(Who("administrator", "administrator", token))
    for role in ("study_manager", "researcher", "monitor", "clinician"):
        for where, study, site in (
            ("here", here, None),
            ("at a site", here, sites[here, "N"]),
            ("there", there, None),
        ):
            user_id, token = user(services, role, study=study, site=site)
            care: set[UUID] = set()
            if role == "clinician" and where != "there":
                place = world.places["own"]
                with services.db.write() as db:
                    db.add(CareMember(team_id=place.ids["team_id"], user_id=user_id, since=now))
                care.add(place.patient)
            if (role, where) == ("clinician", "there"):
                of_there = user_id
            world.callers.append(Who(f"{role} {where}", role, token, study, site, care=frozenset(care)))
    place, late = world.places["same site"], world.places["other site"]
    user_id, token = user(services, "clinician", study=here)
    with services.db.write() as db:
        for who, ends in ((place.patient, timedelta(hours=1)), (late.patient, -timedelta(hours=1))):
            at = now - timedelta(hours=2)
            db.add(BreakGlass(id=uuid4(), user_id=user_id, patient_id=who, at=at, expires_at=now + ends))
    world.callers.append(
        Who("clinician who broke the glass", "clinician", token, here, emergency=frozenset({place.patient}))
    )
    _with_two_roles(world, here, there, sites)
    clinicians = {here: user_id, there: of_there}
    with services.db.read() as db:
        grants = {row.user_id: row.id for row in db.query(GrantRow)}
    for each in world.places.values():
        clinician = clinicians.get(each.study, user_id)
        each.ids.update(user_id=clinician, grant_id=grants[clinician])


def _with_two_roles(world: World, here: UUID, there: UUID, sites: dict[Any, UUID]) -> None:
    for (role, study, site), (other, elsewhere, elsewhere_site) in (
        (("study_manager", there, None), ("researcher", here, None)),
        (("study_manager", here, sites[here, "N"]), ("researcher", here, None)),
        (("monitor", here, sites[here, "S"]), ("clinician", here, sites[here, "N"])),
    ):
        user_id, token = user(world.services, role, study=study, site=site)
        care: frozenset[UUID] = frozenset()
        with world.services.db.write() as db:
            now = world.services.clock()
            where = {"study_id": elsewhere, "site_id": elsewhere_site}
            db.add(GrantRow(id=uuid4(), user_id=user_id, role=other, created_at=now, **where))
            if other == "clinician":
                own = world.places["own"]
                db.add(CareMember(team_id=own.ids["team_id"], user_id=user_id, since=now))
                care = frozenset({own.patient})
        first = Who(role, role, token, study, site)
        second = Who(other, other, token, elsewhere, elsewhere_site, care=care)
        world.callers.append(Both(f"{role} and {other} {'at sites' if elsewhere_site else 'elsewhere'}", first, second))


def _programs(world: World, here: UUID, there: UUID) -> None:
    for name, study, permissions in (
        ("program of all studies", None, ["*"]),
        ("program here", here, ["*"]),
        ("program there", there, ["*"]),
        ("program that reads features here", here, ["features.read"]),
        ("program that follows here", here, ["trend.read", "summary.read", "reliability.read"]),
        ("program that enters everywhere", None, ["patient.create", "observation.import", "schedule.edit"]),
    ):
        issued = issue_service_token(world.services, name=name, permissions=permissions, study_id=study)
        only = None if permissions == ["*"] else frozenset(permissions)
        world.callers.append(Who(name, "service", issued.token, study, permissions=only))
        for place in world.places.values():
            place.ids.setdefault("token_id", issued.token_id)


def _bad_tokens(world: World) -> None:
    services, now = world.services, world.services.clock()
    good = {who.name: who.token for who in world.callers}
    phone, staff, program = good["phone of own"], good["study_manager here"], good["program here"]
    for kind, token in (("phone", phone), ("staff", staff), ("program", program)):
        world.bad_tokens |= {
            f"{kind}, shortened": token[:-1],
            f"{kind}, lengthened": token + "A",
            f"{kind}, one character changed": token[:-1] + ("A" if token[-1] != "A" else "B"),
            f"{kind}, in other letters": token.swapcase(),
            f"{kind}, of another audience": ("ks_" if kind != "program" else "kd_") + token[3:],
        }
    place = world.places["own"]
    lost = enrol_device(services, patient_id=place.patient)
    revoke_device(services, lost.device_id, reason="lost")
    revoked = issue_service_token(services, name="gone", permissions=["*"])
    revoke_service_token(services, revoked.token_id)
    expired = issue_service_token(services, name="old", permissions=["*"], lifetime=-timedelta(seconds=1))
    renewing = enrol_device(services, patient_id=place.patient)
    world.bad_tokens |= {
        "phone, revoked": lost.access_token,
        "program, revoked": revoked.token,
        "program, expired": expired.token,
        "the secret that renews": renewing.renewal,
        "an enrolment code": new_secret("enrolment"),
        "an invitation": new_secret("invitation"),
        "unknown": new_secret("login"),
        "an OpenID token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsImF1ZCI6Imtvbm…".encode().decode("ascii", "ignore"),
    }
    for name, change in (
        ("staff, logged out", {"ended_at": now}),
        ("staff, expired", {"expires_at": now - timedelta(seconds=1)}),
        ("staff, idle too long", {"seen_at": now - timedelta(days=1), "created_at": now - timedelta(days=1)}),
        ("staff, disabled", {}),
    ):
        user_id, token = user(services, "administrator")
        with services.db.write() as db:
            login = db.query(Login).where(Login.user_id == user_id).one()
            for column, value in change.items():
                setattr(login, column, value)
            if not change:
                db.get(User, user_id).disabled_at = now
        world.bad_tokens[name] = token


__all__ = ["Both", "Place", "Who", "World", "build", "tapping", "user"]
