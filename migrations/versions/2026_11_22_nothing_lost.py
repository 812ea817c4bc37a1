"""Sessions are received first and computed after; campaigns compute them again."""

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
    _add_campaigns()


def downgrade() -> None:
    _drop_campaigns()
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
