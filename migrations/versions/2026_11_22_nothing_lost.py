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
    _add_arrivals()
    _add_quarantine()


def downgrade() -> None:
    _drop_quarantine()
    _drop_arrivals()
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


def _add_arrivals() -> None:
    arrival = op.create_table(
        "arrival",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival")),
    )
    with op.batch_alter_table("session") as session:
        session.add_column(sa.Column("arrival", sa.BigInteger(), nullable=False, server_default="0"))
        session.add_column(sa.Column("held_since", INSTANT))
    with op.batch_alter_table("session") as session:
        session.alter_column("arrival", server_default=None)
    op.execute(
        "UPDATE session SET arrival = ranked.number "
        "FROM (SELECT id, row_number() OVER (ORDER BY received_at, id) AS number FROM session) AS ranked "
        "WHERE ranked.id = session.id"
    )
    known = op.get_bind().execute(sa.text("SELECT count(*) FROM session")).scalar_one()
    op.bulk_insert(arrival, [{"id": 1, "last": known}])
    op.create_index("ix_session_patient_id_arrival", "session", ["patient_id", "arrival"])
    op.create_index("ix_session_arrival", "session", ["arrival"])


def _drop_arrivals() -> None:
    op.drop_index("ix_session_arrival", "session")
    op.drop_index("ix_session_patient_id_arrival", "session")
    with op.batch_alter_table("session") as session:
        session.drop_column("held_since")
        session.drop_column("arrival")
    op.drop_table("arrival")


def _add_quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("object", sa.String(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=True),
        sa.Column("encoding", sa.String(), nullable=True),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("arrival", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("released_as", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_quarantine_patient_id_patient")),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_quarantine_device_id_device")),
        sa.ForeignKeyConstraint(["object"], ["blob.object"], name=op.f("fk_quarantine_object_blob")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
    )
    for columns, unique in (
        (["patient_id", "session_id", "digest"], True),
        (["patient_id", "arrival"], False),
        (["arrival"], False),
        (["state", "received_at"], False),
        (["device_id"], False),
        (["object"], False),
    ):
        op.create_index(op.f(f"ix_quarantine_{'_'.join(columns)}"), "quarantine", columns, unique=unique)


def _drop_quarantine() -> None:
    held = op.get_bind().execute(sa.text("SELECT count(*) FROM quarantine WHERE state = 'held'"))
    if held.scalar():
        raise CommandError("there are uploads in quarantine: release or discard them first")
    op.drop_table("quarantine")
