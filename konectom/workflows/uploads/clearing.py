"""What is not needed any more of uploads: whose time is over, whose patient has withdrawn, and who were cut off."""

from __future__ import annotations

import time
from uuid import UUID

import structlog
from sqlalchemy import or_, select

from konectom.errors import KonectomError, MigrationNeeded, SealBroken, StoreUnavailable
from konectom.storage.models import Upload, UploadPiece
from konectom.workflows.services import Services
from konectom.workflows.sessions.large import compute_large_soon
from konectom.workflows.sessions.raw import TEMPORARY
from konectom.workflows.sessions.sweeping import AGE
from konectom.workflows.uploads.completing import complete_upload
from konectom.workflows.uploads.opening import EXPIRED, OPEN, close_upload, refuse_upload, require_going_on
from konectom.workflows.uploads.pieces import remove_pieces

log = structlog.get_logger()


def sweep_uploads(services: Services) -> bool:
    """Put in order what uploads have left, and tell whether all could be.

    Those that are whole become sessions, however long ago their time was over, or are refused and held with the reason;
    others whose time is over, or whose patient's data may not be collected any more, lose what has come of them; so do
    those that have ended and were not cleared. A row is removed when the time of an upload has been over for as long as
    it lasted: until then whoever asks is told what became of it.
    """
    return all([_swept(services, upload_id) for upload_id in _due(services)] + [_clear_temporary(services)])


def sweep_soon(services: Services) -> None:
    """Let :func:`sweep_uploads` run in the background of this process, and have large sessions computed that wait."""

    def sweep() -> None:
        try:
            sweep_uploads(services)
            compute_large_soon(services)
        except (StoreUnavailable, MigrationNeeded) as error:
            log.warning("uploads.unswept", reason=error.detail)

    services.background.start("sweep uploads", sweep)


def _due(services: Services) -> list[UUID]:
    now = services.clock()
    has_pieces = select(UploadPiece.id).where(UploadPiece.upload_id == Upload.id).exists()
    going_on = Upload.status == OPEN
    old = Upload.expires_at < now - services.settings.upload_lifetime
    with services.db.read() as db:
        return list(db.scalars(select(Upload.id).where(or_(going_on, has_pieces, old)).order_by(Upload.created_at)))


def _swept(services: Services, upload_id: UUID) -> bool:
    now = services.clock()
    with services.db.read() as db:
        row = db.get(Upload, upload_id)
    if row is None:
        return True
    try:
        long_over = row.expires_at < now - services.settings.upload_lifetime
        if row.status == OPEN and row.offset == row.length:
            _complete(services, upload_id, last_time=long_over)
        elif long_over:
            _remove(services, upload_id)
        elif row.status != OPEN:
            remove_pieces(services, upload_id)
        elif row.expires_at <= now:
            close_upload(services, upload_id, EXPIRED)
        else:
            require_going_on(services, row)
    except KonectomError as error:
        log.warning("upload.swept", code=error.code)
        return error.status < 500
    except Exception:  # a fault of ours in reading it: it stays, and keeps no other from its turn
        log.exception("upload.unswept")
        return False
    return True


def _complete(services: Services, upload_id: UUID, *, last_time: bool) -> None:
    """Make a session of it; where what is stored is damaged, an operator may put it right for as long as it lasted."""
    try:
        complete_upload(services, upload_id)
    except SealBroken as error:
        if last_time:
            log.error("upload.damaged", upload=str(upload_id))
            refuse_upload(services, upload_id, error)
        raise


def _remove(services: Services, upload_id: UUID) -> None:
    close_upload(services, upload_id, EXPIRED)
    with services.db.write() as db:
        row = db.get(Upload, upload_id, with_for_update=True)
        if row is not None and row.status != OPEN:  # or else its last byte has come meanwhile
            db.delete(row)


def _clear_temporary(services: Services) -> bool:
    """Remove temporary files that a crash has left; what is in them is sealed."""
    directory = services.settings.data_dir / "temporary"
    old = time.time() - AGE.total_seconds()
    for file in directory.glob(f"{TEMPORARY}*") if directory.is_dir() else ():
        try:
            if file.stat().st_mtime < old:
                file.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            log.error("temporary.unswept", reason=error.strerror)
            return False
    return True
