"""An installation with three patients of whom everything is told in words of their own, and where to look for these.

Every text, id and number of a patient is drawn at random, so that whichever of them is found somewhere, it is that
patient's. A :class:`Needle` is one of them, in all the ways in which a file may hold it.
"""

import base64
import contextlib
import hashlib
import io
import random
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import orjson
from sqlalchemy import select

from konectom.errors import AssessmentUnknown
from konectom.security.acting import because
from konectom.storage.models import (
    Alert,
    Base,
    BreakGlass,
    CarePatient,
    CareTeam,
    Consent,
    EarlierOutcome,
    Enrolment,
    QuarantineRow,
    Renewal,
    Review,
    ScoreRow,
    SessionRow,
    UploadPiece,
    User,
)
from konectom.workflows.campaigns.decisions import plan_campaign
from konectom.workflows.observations.entering import enter_observation, retract_observation
from konectom.workflows.patients.enrolments import enrol_device
from konectom.workflows.patients.identity import set_identity
from konectom.workflows.patients.people import create_patient
from konectom.workflows.patients.schedules import create_schedule
from konectom.workflows.services import Services
from konectom.workflows.sessions.ingest import ingest_session
from konectom.workflows.sessions.keep import recording_id
from konectom.workflows.uploads.opening import Wanted, open_upload
from konectom.workflows.uploads.receiving import receive
from tests.probe import probe_recording, session_body

CLEAR, SEALED, OBJECT, NOWHERE = "in the database", "sealed", "an object", "nowhere in the open"
"""Where a needle is before the patient is erased."""

KEPT = ("audit", "erasure")
"""Tables in which ids of what was erased may stand."""


@dataclass(frozen=True)
class Needle:
    """Something of a patient, ``forms`` of which one is looked for, and where it stands before."""

    name: str
    forms: tuple[bytes, ...]
    where: str
    identifier: bool = False

    def within(self, hay: bytes) -> bool:
        return any(form in hay for form in self.forms)


def text(name: str, said: str, where: str = CLEAR) -> Needle:
    plain = said.encode()
    coded = {base64.b64encode(b"\0" * shift + plain)[4:-4] for shift in range(3)} if len(plain) > 12 else set()
    forms = {plain, said.upper().encode(), said.encode("utf-16-le"), said.encode("utf-16-be"), plain.hex().encode()}
    return Needle(name, tuple(forms | coded), where)


def identifier(name: str, told: UUID | str, where: str = CLEAR) -> Needle:
    which = UUID(str(told))
    forms = (which.hex, str(which), which.hex.upper(), str(which).upper())
    return Needle(name, (*(each.encode() for each in forms), which.bytes), where, identifier=True)


def digest(name: str, of: bytes, where: str = CLEAR) -> Needle:
    told = hashlib.sha256(of)
    return Needle(name, (told.hexdigest().encode(), told.digest(), base64.b64encode(told.digest())), where)


def number(name: str, value: float) -> Needle:
    forms = (struct.pack(">d", value), struct.pack("<d", value), repr(value).encode())
    return Needle(name, forms, CLEAR)


@dataclass
class Person:
    """A patient, with what is told of him or her."""

    id: UUID
    code: str
    token: str
    sessions: list[UUID]
    bodies: list[bytes]
    ids: dict[str, UUID]
    refused: list[bytes] = field(default_factory=list)
    needles: list[Needle] = field(default_factory=list)
    unfinished_bytes: int = 0


def word(what: str) -> str:
    return f"{what}-{uuid4().hex[:20]}"


def populate(services: Services, study: UUID, *, sessions: int = 3) -> Person:
    """Make a patient in every table there is."""
    code, model, app = word("code"), word("model"), word("app")
    with because(word("because")):
        patient = UUID(create_patient(services, study_id=study, code=code, birth_year=1971)["id"])
    phone = enrol_device(services, patient_id=patient, model=model, app=app)
    person = Person(patient, code, phone.access_token, [], [], {"device": phone.device_id})
    person.needles += [text("code", code), text("model", model), text("app", app)]
    person.needles += [identifier("patient", patient), identifier("device", phone.device_id)]
    _identify(services, person)
    for _ in range(sessions):
        _upload(services, person)
    _refuse(services, person)
    _hand_over(services, person)
    _observe(services, person)
    _follow(services, person, study)
    _needles_of_rows(services, person)
    return person


def _identify(services: Services, person: Person) -> None:
    said = {"family_name": word("family"), "email": f"{word('mail')}@example.org", "note": word("met")}
    set_identity(services, person.id, **said)
    person.needles += [text(f"identity, {name}", value, NOWHERE) for name, value in said.items()]


def _upload(services: Services, person: Person) -> None:
    session_id, model, answer = uuid4(), word("handset"), word("answer")
    pushes = [random.uniform(1, 9) for _ in range(40)]
    spoiled = {"assessment": word("strange"), "streams": {}}
    told = orjson.loads(session_body(spoiled, probe_recording(x=pushes, answers={"said": answer})))
    device = {"model": model, "platform": "ios", "os": "19.1", "app": "1.4.2"}
    body = orjson.dumps({"device": device} | {name: value for name, value in told.items() if name != "device"})
    ingest_session(
        services, session_id=session_id, patient_id=person.id, device_id=person.ids["device"], body=body,
        media_type="application/json",
    )  # fmt: skip
    person.sessions.append(session_id)
    person.bodies.append(body)
    person.needles += [
        identifier("session", session_id),
        text("phone in the body", model),
        text("spoiled test", spoiled["assessment"]),
        text("answer", answer, NOWHERE),
        digest("digest of the body", body),
        Needle("beginning of the body", (body[:48],), NOWHERE),
        Needle("end of the body", (body[-32:],), NOWHERE),
    ]


def _refuse(services: Services, person: Person) -> None:
    """Upload what cannot be used, so that it is in quarantine."""
    session_id, test, said = uuid4(), word("unknown-test"), word("spoken")
    body = orjson.dumps(orjson.loads(session_body({"assessment": test, "streams": {}})) | {"said": said})
    with contextlib.suppress(AssessmentUnknown):
        ingest_session(
            services, session_id=session_id, patient_id=person.id, device_id=person.ids["device"], body=body,
            media_type="application/json",
        )  # fmt: skip
    person.refused.append(body)
    person.needles += [
        identifier("session that was refused", session_id),
        text("said in what was refused", said, NOWHERE),
        digest("digest of what was refused", body),
        Needle("end of what was refused", (body[-32:],), NOWHERE),
    ]


def _hand_over(services: Services, person: Person) -> None:
    """Half of a session has come in pieces."""
    session_id, body = uuid4(), word("unfinished").encode() * 40
    wanted = Wanted(
        session_id=session_id, patient_id=person.id, device_id=person.ids["device"], length=2 * len(body), told="",
        digest=hashlib.sha256(body).hexdigest(),
    )  # fmt: skip
    upload_id = UUID(open_upload(services, wanted)["id"])
    receive(services, upload_id, lambda most: iter([body]), offset=0)
    person.ids["upload"], person.unfinished_bytes = upload_id, len(body)
    person.needles += [
        identifier("session that is not whole", session_id),
        identifier("upload", upload_id),
        Needle("beginning of what has come", (body[:48],), NOWHERE),
        digest("digest of what has come", body),
    ]
    with services.db.read() as db:
        for piece in db.scalars(select(UploadPiece).where(UploadPiece.upload_id == upload_id)):
            name = (piece.object.encode(), bytes.fromhex(piece.object))
            person.needles += [
                Needle("end of a piece", (services.objects.get(piece.object)[-32:],), SEALED),
                Needle("name of a piece", name, OBJECT),
            ]


def _observe(services: Services, person: Person) -> None:
    said = {"source": word("source"), "reference": word("ref"), "note": word("note")}
    at = services.clock() - timedelta(days=3)
    kept = enter_observation(services, person.id, code="edss", at=at, values={"step": 3.5}, **said).observation
    wrong = enter_observation(
        services, person.id, code="edss", at=at - timedelta(days=9), values={"step": 9.0}
    ).observation
    taken_back = word("retracted")
    retract_observation(services, person.id, UUID(wrong["id"]), reason=taken_back)
    person.ids["observation"] = UUID(kept["id"])
    person.needles += [text(f"observation, {name}", value) for name, value in said.items()]
    person.needles += [identifier("observation", kept["id"]), text("reason of a retraction", taken_back)]


def _follow(services: Services, person: Person, study: UUID) -> None:
    now, patient = services.clock(), person.id
    ids = {name: uuid4() for name in ("alert", "consent", "enrolment", "broken", "team", "user")}
    due = create_schedule(services, study, assessment="tap", patient=patient, start="2026-11-02")
    note, finding, message = word("seen"), word("finding"), word("message")
    why = word("campaign")
    ids["campaign"] = UUID(plan_campaign(services, patient=patient, note=why)["id"])
    with services.db.write() as db:
        db.add(User(id=ids["user"], login=word("login"), name="Ada", failures=0, created_at=now))
        db.add(CareTeam(id=ids["team"], study_id=study, name=word("team"), created_at=now))
        db.flush()
        db.add_all([
            Alert(
                id=ids["alert"], study_id=study, patient_id=patient, kind="lapse", key=finding, at=now,
                told={"message": message, "evidence": {}}, found_at=now, acknowledged_at=now, acknowledged_by="Ada",
                note=note,
            ),
            Consent(
                id=ids["consent"], patient_id=patient, data_type="touch", state="given", decided_at=now, entered_at=now
            ),
            Enrolment(
                id=ids["enrolment"], patient_id=patient, code_hash=uuid4().hex, created_at=now, expires_at=now,
                device_id=person.ids["device"],
            ),
            BreakGlass(id=ids["broken"], user_id=ids["user"], patient_id=patient, at=now, expires_at=now),
            CarePatient(team_id=ids["team"], patient_id=patient, since=now),
            Review(patient_id=patient, reviewed_at=now, seen_until=now),
            EarlierOutcome(recording_id=recording_id(person.sessions[0], 1), until=now, status="failed"),
            Renewal(device_id=person.ids["device"], from_hash=word("old"), to_hash=word("new"), at=now),
        ])  # fmt: skip
    ids["schedule"] = UUID(due["id"])
    person.ids |= ids
    person.needles += [text("alert's note", note), text("alert's key", finding), text("alert's message", message)]
    person.needles += [text("why it was computed again", why)]
    names = ("alert", "consent", "enrolment", "broken", "schedule", "campaign")
    person.needles += [identifier(name, ids[name]) for name in names]


def _needles_of_rows(services: Services, person: Person) -> None:
    with services.db.read() as db:
        for row in db.scalars(select(SessionRow).where(SessionRow.patient_id == person.id)):
            sealed = services.objects.get(row.object)
            person.needles += [
                Needle("beginning of the object", (sealed[9:41],), SEALED),
                Needle("end of the object", (sealed[-32:],), SEALED),
                Needle("name of the object", (row.object.encode(), bytes.fromhex(row.object)), OBJECT),
            ]
        (held,) = db.scalars(select(QuarantineRow).where(QuarantineRow.patient_id == person.id))
        person.ids["quarantine"] = held.id
        person.needles += [
            identifier("quarantine", held.id),
            Needle("beginning of the object", (services.objects.get(held.object)[9:41],), SEALED),
            Needle("name of the object", (held.object.encode(), bytes.fromhex(held.object)), OBJECT),
        ]
        values = db.scalars(select(ScoreRow.value).where(ScoreRow.patient_id == person.id)).all()
        person.needles += [number("score", value) for value in values if value % 1]


def files_of(services: Services) -> dict[str, bytes]:
    """What lies on the disk, by name: the database's files, the objects, and names themselves."""
    directory = Path(services.settings.data_dir)
    found = {str(path.relative_to(directory)): path for path in directory.rglob("*") if path.is_file()}
    names = "\n".join(str(path.relative_to(directory)) for path in directory.rglob("*")).encode()
    return {name: path.read_bytes() for name, path in found.items()} | {"names": names}


def rows_with(services: Services, needle: Needle) -> Iterator[str]:
    """Yield each table of which a row, written out, holds the needle."""
    with services.db.engine.connect() as db:
        for table in Base.metadata.tables.values():
            for row in db.exec_driver_sql(f'SELECT * FROM "{table.name}"'):
                cells = [each if isinstance(each, bytes) else str(each).encode() for each in row]
                if any(needle.within(cell) for cell in cells):
                    yield table.name
                    break


def inflated(answer: bytes) -> bytes:
    """An answer, and where it is an archive, what is in it."""
    if not answer.startswith(b"PK\x03\x04"):
        return answer
    with zipfile.ZipFile(io.BytesIO(answer)) as archive:
        return b"\n".join(each.encode() + archive.read(each) for each in archive.namelist())
