"""A session that is larger than a request may be, from the pieces in which it came to its receipt.

Never more than a piece of it is in memory: it is outlined (for what the patient agreed to), sealed into a temporary
file and put into the object store, all of it read piece by piece; it waits to be computed. What holds of other uploads
(:mod:`konectom.workflows.sessions.ingest`) holds of it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from konectom.errors import EncodingUnsupported, KonectomError
from konectom.metrics import UPLOADS
from konectom.workflows.patients.patient_keys import patient_key
from konectom.workflows.services import Services
from konectom.workflows.sessions.holding import HOLDABLE, hold_large
from konectom.workflows.sessions.ingest import Ingested, Upload, require_fit, store, stored_receipt
from konectom.workflows.sessions.large import compute_large_soon, outline_large
from konectom.workflows.sessions.raw import sealed_file

Pieces = Callable[[], Iterator[bytes]]


def ingest_large(services: Services, upload: Upload, file: BinaryIO, pieces: Pieces) -> Ingested:
    """Keep a session and return its receipt; raises as :func:`~konectom.workflows.sessions.ingest.ingest_session` does.

    ``file`` can be gone about in, ``pieces`` yields the same from the begin, each time that it is called.
    """
    try:
        kept = receive_large(services, upload, file, pieces)
    except KonectomError as error:
        UPLOADS.add(outcome=error.code)
        if isinstance(error, HOLDABLE):
            error.context["kept"] = hold_large(services, upload, file, pieces, error)
        raise
    if not kept.created:
        UPLOADS.add(outcome="repeated")
    return kept


def receive_large(services: Services, upload: Upload, file: BinaryIO, pieces: Pieces) -> Ingested:
    """Keep a session, or raise as :func:`ingest_large` does, and hold nothing."""
    agreed, receipt = stored_receipt(services, upload)
    if receipt is not None:
        return Ingested(False, receipt)
    if upload.encoding not in (None, "", "identity"):
        raise EncodingUnsupported("what is larger than one request may be is not compressed as a whole")
    session = outline_large(services, file, upload.media_type)
    require_fit(upload, agreed, session)
    with services.db.read() as db:
        key = patient_key(services, db, upload.patient_id)
    with sealed_file(services, key, bytes.fromhex(upload.digest), pieces()) as sealed:
        kept = store(services, upload, sealed, session, None)
    compute_large_soon(services)
    return kept
