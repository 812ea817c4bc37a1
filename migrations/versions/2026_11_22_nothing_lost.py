"""Sessions are received first and computed after."""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
WAITING = sa.text("status = 'received'")


def upgrade() -> None:
    _add_statuses()
    _add_uploads()


def downgrade() -> None:
    _drop_uploads()
    _drop_statuses()


def _add_statuses() -> None:
    with op.batch_alter_table("session") as session:
        session.add_column(sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
        session.add_column(sa.Column("tried_at", INSTANT))
        session.add_column(sa.Column("fault", sa.JSON()))
    with op.batch_alter_table("session") as session:
        session.alter_column("tries", server_default=None)
    op.create_index("ix_session_waiting", "session", ["received_at"], sqlite_where=WAITING, postgresql_where=WAITING)
    with op.batch_alter_table("recording") as recording:
        recording.add_column(sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("recording") as recording:
        recording.alter_column("tries", server_default=None)


def _drop_statuses() -> None:
    unknown_before = op.get_bind().execute(
        sa.text("SELECT count(*) FROM session WHERE status NOT IN ('processed', 'failed')")
    )
    if unknown_before.scalar():
        raise CommandError("there are sessions that wait to be computed, or were given up: compute or erase them first")
    op.drop_index("ix_session_waiting", "session")
    with op.batch_alter_table("recording") as recording:
        recording.drop_column("tries")
    with op.batch_alter_table("session") as session:
        session.drop_column("fault")
        session.drop_column("tried_at")
        session.drop_column("tries")


def _add_uploads() -> None:
    op.create_table(
        "upload",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid()),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("told", sa.String(), nullable=False),
        sa.Column("media_type", sa.String()),
        sa.Column("encoding", sa.String()),
        sa.Column("digest", sa.String()),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("fault", sa.JSON()),
        sa.Column("writer", sa.Uuid()),
        sa.Column("claimed_until", INSTANT),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_upload_device_id_device"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_upload_patient_id_patient"),
        sa.PrimaryKeyConstraint("id", name="pk_upload"),
    )
    op.create_index("ix_upload_device_id", "upload", ["device_id"])
    op.create_index("ix_upload_patient_id_status", "upload", ["patient_id", "status"])
    op.create_index("ix_upload_expires_at_status", "upload", ["expires_at", "status"])
    op.create_table(
        "upload_piece",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("object", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["upload_id"], ["upload.id"], name="fk_upload_piece_upload_id_upload"),
        sa.PrimaryKeyConstraint("id", name="pk_upload_piece"),
    )
    op.create_index("ix_upload_piece_upload_id_start", "upload_piece", ["upload_id", "start"], unique=True)
    op.create_index("ix_upload_piece_object", "upload_piece", ["object"])


def _drop_uploads() -> None:
    op.drop_table("upload_piece")  # the objects go when they are a day old: no row speaks of them any more
    op.drop_table("upload")
