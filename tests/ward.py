"""The clinic's side of phones: patients, codes, what the database says of them, and one phone through some steps."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import structlog
from flask.testing import FlaskClient
from sqlalchemy import bindparam, select

from konectom import logs
from konectom.app import create_app
from konectom.errors import NotAuthenticated
from konectom.security.phones import access_token, code_hash
from konectom.security.secrets import hash_of
from konectom.settings import load_settings
from konectom.storage.models import Device, DeviceCredential, Enrolment, Renewal, SessionRow
from konectom.workflows.patients.credentials import COPIED
from konectom.workflows.patients.devices import REASONS, authenticate_device, revoke_device
from konectom.workflows.patients.enrolments import create_enrolment
from konectom.workflows.services import Services
from tests.backends import where_of
from tests.phone import Answer, Network, NoAnswer, Phone, Request, Thief, tap_session

LIVE = (
    select(DeviceCredential.device_id, DeviceCredential.renewal_hash, DeviceCredential.access_hash)
    .join(Device, Device.id == DeviceCredential.device_id)
    .where(
        Device.patient_id == bindparam("patient"),
        DeviceCredential.revoked_at.is_(None),
        DeviceCredential.renewal_expires_at > bindparam("now"),
    )
)
THIEVES = 0.2
"""In how many of the runs somebody copies the phone."""


@pytest.fixture
def hourly(settings: Any, clock: Any) -> Any:
    """Services whose tokens have the lifetimes that are the default."""
    hourly = load_settings({}, **where_of(settings), mode="development", rate_limits="off")
    services = Services.open(hourly, clock=clock)
    yield services
    services.close()


@pytest.fixture
def client(hourly: Services) -> Any:
    app = create_app(services=hourly)
    logs.configure("console", level=50)
    yield app.test_client()
    structlog.reset_defaults()


@pytest.fixture
def ward(hourly: Services, client: FlaskClient, people: Any) -> Ward:
    return Ward(hourly, client, people, people.study())


@dataclass
class Ward:
    """The clinic's side: patients, codes, and what the database says of a patient's phones."""

    services: Services
    client: FlaskClient
    people: Any
    study: UUID
    served: int = 0

    @property
    def now(self) -> datetime:
        return self.services.clock()

    def serve(self, request: Request) -> Answer:
        self.served += 1
        headers = {} if request.token is None else {"Authorization": f"Bearer {request.token}"}
        answer = self.client.open(request.path, method=request.method, json=request.body, headers=headers)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            return Answer(answer.status_code, {name: answer.json.get(name) for name in ("code", "at", "detail")})
        return Answer(answer.status_code, answer.json)

    def live(self, patient: UUID) -> list[Any]:
        """Return what of the patient's credentials can still be used: device_id, renewal_hash, access_hash."""
        with self.services.db.engine.connect() as connection:
            return list(connection.execute(LIVE, {"patient": patient, "now": self.now}))

    def credential(self, device: UUID) -> DeviceCredential:
        with self.services.db.read() as db:
            return db.get_one(DeviceCredential, device)

    def device_of(self, secret: str) -> UUID | None:
        """Return the phone whose secret it is or was."""
        holds = select(DeviceCredential.device_id).where(DeviceCredential.renewal_hash == hash_of(secret))
        held = select(Renewal.device_id).where(Renewal.from_hash == hash_of(secret))
        with self.services.db.read() as db:
            return db.scalar(holds) or db.scalar(held)

    def enrolment(self, code: str) -> Enrolment:
        with self.services.db.read() as db:
            return db.scalars(select(Enrolment).where(Enrolment.code_hash == code_hash(code))).one()

    def opens(self, token: str) -> bool:
        try:
            authenticate_device(self.services, token)
        except NotAuthenticated:
            return False
        return True


@dataclass
class Run:
    """One patient's phone through some steps; what must hold is checked after each."""

    ward: Ward
    dice: random.Random
    seen: Counter[str]
    patient: UUID = field(init=False)
    network: Network = field(init=False)
    phone: Phone = field(init=False)
    thief: Thief | None = None
    uploads: dict[str, Any] = field(default_factory=dict)
    waiting: list[tuple[str, Any]] = field(default_factory=list)
    robbed: bool = False

    def __post_init__(self) -> None:
        self.patient = self.ward.people.patient(self.ward.study)
        self.network = Network(self.ward.serve, self.dice, self.seen)
        self.phone = Phone(self.network)
        self.robbed = self.dice.random() < THIEVES
        self.scan()

    def scan(self) -> None:
        self.phone.scan(create_enrolment(self.ward.services, patient_id=self.patient)["code"])

    def attempt(self, act: Any, *args: Any, **named: Any) -> Any:
        """Let the phone do something; where it is refused there must have been a reason."""
        before, refused = dict(self.phone.disk), self.phone.refused
        try:
            return act(*args, **named)
        except NoAnswer:
            return None
        finally:
            if self.phone.refused > refused:
                self.require_a_reason(before)

    def require_a_reason(self, before: dict[str, Any]) -> None:
        device = self.ward.device_of(before["renewal"])
        if "code" in before:
            row = self.ward.enrolment(before["code"])
            if row.used_at is None:
                assert row.revoked_at is not None or row.expires_at <= self.ward.now, before
                self.seen["codes that were void"] += 1
                return
            device = row.device_id
        credential = self.ward.credential(device)
        if credential.revoked_for == COPIED:
            assert self.thief is not None, "shut out for a theft, and there was no thief"
            self.seen["thefts found out"] += 1
        else:
            late = credential.renewal_expires_at <= self.ward.now
            assert late or credential.revoked_for in REASONS, credential.revoked_for
            self.seen["phones shut out by staff, or too late"] += 1

    def step(self) -> None:
        if self.phone.needs_code:
            self.scan()
        elif not self.phone.enrolled:
            self.step_before_enrolment()
        else:
            self.step_when_enrolled()
        if self.robbed and self.thief is None and not self.phone.needs_code and self.dice.random() < 0.2:
            self.seen["thieves"] += 1
            self.thief = Thief.of(self.phone, self.ward.serve, self.dice)
        if self.thief is not None and self.dice.random() < 0.3:
            self.thief.try_it()
        self.network.bring_late_ones()

    def step_before_enrolment(self) -> None:
        fate = self.dice.random()
        if fate < 0.04:
            self.ward.services.clock.forward(days=8)
        elif fate < 0.1:
            self.seen["second codes"] += 1
            self.scan()
        elif fate < 0.14:
            create_enrolment(self.ward.services, patient_id=self.patient)
        elif fate < 0.17:
            for each in self.ward.live(self.patient):
                revoke_device(self.ward.services, each.device_id, reason="other")
        else:
            self.attempt(self.phone.enrol)

    def step_when_enrolled(self) -> None:
        fate = self.dice.random()
        if fate < 0.45:
            self.attempt(self.phone.renew)
        elif fate < 0.7:
            self.read()
        elif fate < 0.78:
            self.upload()
        elif fate < 0.97:
            self.ward.services.clock.forward(minutes=self.dice.choice((5, 61, 600)))
        elif fate < 0.98:
            self.ward.services.clock.forward(days=181)
        elif fate < 0.985:
            revoke_device(self.ward.services, UUID(self.phone.disk["device"]), reason="lost")

    def clock_of_the_phone(self) -> datetime | None:
        return self.ward.now if self.dice.random() < 0.5 else None

    def read(self) -> Answer | None:
        path = f"/api/v1/patients/{self.patient}"
        answer = self.attempt(self.phone.call, "GET", path, now=self.clock_of_the_phone())
        assert answer is None or answer.status == 200
        return answer

    def upload(self) -> None:
        if not self.waiting:
            self.waiting.append(tap_session())
        path, body = self.waiting[0]
        answer = self.attempt(self.phone.call, "PUT", path, body, now=self.clock_of_the_phone())
        if answer is not None:
            assert answer.status in (200, 201)
            self.uploads[path] = self.waiting.pop()

    def check(self) -> None:
        """At most one credential of the patient is live, and at most one token of all that anybody could have."""
        live = self.ward.live(self.patient)
        assert len(live) <= 1
        if not live:
            return
        credential = live[0]
        everybody = {hash_of(secret): secret for each in (self.phone, self.thief) if each for secret in each.secrets}
        holders = [each for each in (self.phone, self.thief) if each and self.holds(each, credential)]
        assert len(holders) <= 1 or self.thief.disk["renewal"] in self.phone.secrets
        assert credential.renewal_hash in everybody, "nobody holds what is live"
        token = access_token(everybody[credential.renewal_hash], credential.device_id)
        assert credential.access_hash == hash_of(token)

    def holds(self, somebody: Phone, credential: Any) -> bool:
        return hash_of(somebody.disk.get("renewal", "")) == credential.renewal_hash

    def settle(self) -> None:
        """Let the network be good again: the phone is enrolled in the end, and what was on its way changes nothing."""
        self.network.bad = False
        if self.thief is not None and not self.phone.needs_code:
            device = self.ward.device_of(self.phone.disk["renewal"])
            if device is not None and device == self.ward.device_of(self.thief.disk["renewal"]):
                self.let_both_renew(device)
        for _ in range(8):
            if self.phone.needs_code:
                self.scan()
            if not self.phone.enrolled:
                self.attempt(self.phone.enrol)
            elif self.read() is not None:
                break
        for request in self.network.late:
            self.ward.serve(request)
        self.seen["requests late"] += len(self.network.late)
        answer = self.read()
        assert answer is not None
        assert answer.body["id"] == str(self.patient)
        self.check()
        self.check_tokens()
        self.check_uploads()

    def let_both_renew(self, device: UUID) -> None:
        assert self.thief is not None
        for _ in range(3):
            if self.phone.needs_code:
                self.scan()
            if self.ward.device_of(self.phone.disk["renewal"]) == device:
                self.attempt(self.phone.renew if self.phone.enrolled else self.phone.enrol)
            self.thief.try_it()
        assert device not in {each.device_id for each in self.ward.live(self.patient)}
        for token in {each.disk["token"] for each in (self.phone, self.thief) if "token" in each.disk}:
            assert not self.ward.opens(token)
        self.seen["thieves and phones both shut out"] += 1

    def check_tokens(self) -> None:
        """Of all tokens that follow from any secret, the phone's opens, and no other."""
        with self.ward.services.db.read() as db:
            devices = db.scalars(select(Device.id).where(Device.patient_id == self.patient)).all()
        secrets = {secret for each in (self.phone, self.thief) if each for secret in each.secrets}
        tokens = {access_token(secret, device) for secret in secrets for device in devices}
        assert {token for token in tokens if self.ward.opens(token)} == {self.phone.disk["token"]}

    def check_uploads(self) -> None:
        with self.ward.services.db.read() as db:
            kept = db.scalars(select(SessionRow.id).where(SessionRow.patient_id == self.patient)).all()
        answered = {UUID(path.rpartition("/")[2]) for path in self.uploads}
        under_way = {UUID(path.rpartition("/")[2]) for path, _ in self.waiting}
        assert answered <= set(kept) <= answered | under_way
        assert len(kept) == len(set(kept))
