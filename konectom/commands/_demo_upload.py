"""The demonstration's uploads: every session over HTTP, as phones would send it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from konectom.commands._client import Client
from konectom.commands._demo_phones import enrol_phones
from konectom.commands._server import Server, ServerFailed
from konectom.simulate.cohort import MISSED, QUANTITIES
from konectom.simulate.patients import Patient, Visit, visits
from konectom.simulate.sessions import upload

if TYPE_CHECKING:
    from rich.progress import Progress

    from konectom.commands._demo_data import People

CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Sent:
    """How much was uploaded, and how long it took."""

    sessions: int
    megabytes: float
    seconds: float


def upload_all(server: Server, cohort: list[Patient], people: People, start: date, weeks: int, bar: Progress) -> Sent:
    """Enrol the phones, simulate and upload all sittings over a few connections.

    Raises :class:`ServerFailed` where something is refused.
    """
    phones = enrol_phones(server, people)
    began = time.monotonic()
    sittings = [
        (patient, visit)
        for patient in cohort
        for visit in visits(patient, QUANTITIES, start=start, weeks=weeks, missed=MISSED)
    ]
    task = bar.add_task("", total=len(sittings))
    held = threading.local()
    clients: list[Client] = []

    def send(patient: Patient, visit: Visit) -> int:
        sent = upload(patient, visit, QUANTITIES)
        if not hasattr(held, "client"):
            held.client = server.client()
            clients.append(held.client)
        answer = phones[patient.code].put_session(held.client, sent.session_id, sent.body)
        if answer.status not in (200, 201):
            raise ServerFailed(f"the server refused a session: {answer.status} {answer.body}; its log: {server.log}")
        bar.advance(task)
        return len(sent.body)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        try:
            futures = [pool.submit(send, *sitting) for sitting in sittings]
            wait(futures, return_when=FIRST_EXCEPTION)
            sizes = [future.result() for future in futures if future.done()]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            for client in clients:
                client.close()
    return Sent(len(sizes), sum(sizes) / 1e6, time.monotonic() - began)
