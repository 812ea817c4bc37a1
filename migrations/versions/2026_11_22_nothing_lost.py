"""Sessions are received first and computed after."""

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
    _make_tables_of_jobs()


def downgrade() -> None:
    _drop_tables_of_jobs()
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


def _make_tables_of_jobs() -> None:
    """Make the tables of Procrastinate, by its own migrations; they are of PostgreSQL, and so is it."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    if find_spec("procrastinate") is None:
        raise CommandError("PostgreSQL needs Procrastinate: install the extra that is called postgres")
    scripts = sorted((resources.files("procrastinate.sql") / "migrations").iterdir(), key=lambda script: script.name)
    # Past SQLAlchemy, and in its transaction: a script is many statements, and holds what look like parameters.
    with connection.connection.cursor() as cursor:
        for script in scripts:
            if script.name.endswith(".sql") and script.name <= LAST_OF_JOBS:
                cursor.execute(script.read_text(encoding="utf-8"))


def _drop_tables_of_jobs() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for name in ("events", "periodic_defers", "jobs", "workers"):
        op.execute(sa.text(f"DROP TABLE IF EXISTS procrastinate_{name} CASCADE"))
    functions = sa.text(
        "SELECT CAST(oid AS regprocedure)::text FROM pg_proc "
        "WHERE proname LIKE 'procrastinate\\_%' AND pronamespace = CAST(current_schema() AS regnamespace)"
    )
    for name in connection.scalars(functions).all():
        op.execute(sa.text(f"DROP FUNCTION {name} CASCADE"))
    for name in ("job_to_defer_v1", "job_event_type", "job_status"):
        op.execute(sa.text(f"DROP TYPE IF EXISTS procrastinate_{name}"))
