"""Sessions are received first and computed after; campaigns compute them again."""

from importlib import resources
from importlib.util import find_spec

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
WAITING = sa.text("status = 'received'")
PARKED = sa.text("status = 'parked'")
LAST_OF_JOBS = "03.04.00_50_post_add_retry_failed_job_procedure.sql"
"""Procrastinate's migration up to which its tables are made, whichever later version of it is installed."""


def upgrade() -> None:
    _add_statuses()
    _add_arrivals()
    _add_quarantine()
    _add_uploads()
    _add_campaigns()
    _make_tables_of_jobs()


def downgrade() -> None:
    _drop_tables_of_jobs()
    _drop_campaigns()
    _drop_uploads()
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
    op.create_index("ix_session_parked", "session", ["received_at"], sqlite_where=PARKED, postgresql_where=PARKED)
    with op.batch_alter_table("recording") as recording:
        recording.add_column(sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("recording") as recording:
        recording.alter_column("tries", server_default=None)
    op.create_index("ix_recording_parked", "recording", ["session_id"], sqlite_where=PARKED, postgresql_where=PARKED)


def _drop_statuses() -> None:
    unknown_before = op.get_bind().execute(
        sa.text("SELECT count(*) FROM session WHERE status NOT IN ('processed', 'failed')")
    )
    if unknown_before.scalar():
        raise CommandError("there are sessions that wait to be computed, or were given up: compute or erase them first")
    op.drop_index("ix_recording_parked", "recording")
    op.drop_index("ix_session_parked", "session")
    op.drop_index("ix_session_waiting", "session")
    with op.batch_alter_table("recording") as recording:
        recording.drop_column("tries")
    with op.batch_alter_table("session") as session:
        session.drop_column("fault")
        session.drop_column("tried_at")
        session.drop_column("tries")


def _add_campaigns() -> None:
    op.create_table(
        "campaign",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid()),
        sa.Column("patient_id", sa.Uuid()),
        sa.Column("choice", sa.JSON(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("chosen", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("phase", sa.String()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("runner", sa.Uuid()),
        sa.Column("active_at", INSTANT),
        sa.Column("patients_until", INSTANT),
        sa.Column("sessions_until", INSTANT),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("trying", sa.JSON(), nullable=False),
        sa.Column("fault", sa.JSON()),
        sa.Column("draft", sa.LargeBinary()),
        sa.Column("report", sa.JSON()),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_campaign_patient_id_patient"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_campaign_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_campaign"),
    )
    op.create_index("ix_campaign_study_id_created_at_id", "campaign", ["study_id", "created_at", "id"])
    op.create_index("ix_campaign_patient_id", "campaign", ["patient_id"])
    op.create_index("ix_campaign_state", "campaign", ["state"])
    op.create_table(
        "earlier_outcome",
        sa.Column("recording_id", sa.Uuid(), nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("error", sa.JSON()),
        sa.ForeignKeyConstraint(["recording_id"], ["recording.id"], name="fk_earlier_outcome_recording_id_recording"),
        sa.PrimaryKeyConstraint("recording_id", "until", name="pk_earlier_outcome"),
    )


def _drop_campaigns() -> None:
    op.drop_table("earlier_outcome")
    op.drop_table("campaign")


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


def _make_tables_of_jobs() -> None:
    """Make the tables of Procrastinate, by its own migrations; they are of PostgreSQL, and so is it."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    if find_spec("procrastinate") is None:
        raise CommandError("PostgreSQL needs Procrastinate: install the extra that is called postgres")
    scripts = sorted((resources.files("procrastinate.sql") / "migrations").iterdir(), key=lambda script: script.name)
    # Each script in a transaction of its own, beside ours: one adds a value to an enumeration that a later one uses,
    # which PostgreSQL before 17 allows only after a commit. What a migration that failed left of them goes first.
    with connection.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as beside:
        _drop_jobs(beside)
        # Past SQLAlchemy: a script is many statements, and holds what look like parameters.
        with beside.connection.cursor() as cursor:
            for script in scripts:
                if script.name.endswith(".sql") and script.name <= LAST_OF_JOBS:
                    cursor.execute(script.read_text(encoding="utf-8"))


def _drop_tables_of_jobs() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        _drop_jobs(connection)


def _drop_jobs(connection: sa.Connection) -> None:
    for name in ("events", "periodic_defers", "jobs", "workers"):
        connection.execute(sa.text(f"DROP TABLE IF EXISTS procrastinate_{name} CASCADE"))
    functions = sa.text(
        "SELECT CAST(oid AS regprocedure)::text FROM pg_proc "
        "WHERE proname LIKE 'procrastinate\\_%' AND pronamespace = CAST(current_schema() AS regnamespace)"
    )
    for name in connection.scalars(functions).all():
        connection.execute(sa.text(f"DROP FUNCTION {name} CASCADE"))
    for name in ("job_to_defer_v1", "job_event_type", "job_status"):
        connection.execute(sa.text(f"DROP TYPE IF EXISTS procrastinate_{name}"))
