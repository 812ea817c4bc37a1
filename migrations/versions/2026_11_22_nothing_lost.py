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
PARKED = sa.text("status = 'parked'")


def upgrade() -> None:
    _add_statuses()
    _index_parked()


def downgrade() -> None:
    _drop_index_of_parked()
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


def _index_parked() -> None:
    op.create_index("ix_session_parked", "session", ["received_at"], sqlite_where=PARKED, postgresql_where=PARKED)


def _drop_index_of_parked() -> None:
    op.drop_index("ix_session_parked", "session")
