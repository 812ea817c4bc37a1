"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blob",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_blob"),
    )
    op.create_table(
        "catalogue",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("entries", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalogue"),
    )
    op.create_index("ix_catalogue_assessment_version", "catalogue", ["assessment", "version"], unique=True)
    op.create_table(
        "measure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_measure"),
        sa.UniqueConstraint("key", name="uq_measure_key"),
    )
    op.create_table(
        "study",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_study"),
        sa.UniqueConstraint("code", name="uq_study_code"),
    )
    op.create_table(
        "patient",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("birth_year", sa.Integer(), nullable=True),
        sa.Column("sex", sa.String(), nullable=True),
        sa.Column("education_years", sa.Double(), nullable=True),
        sa.Column("height_m", sa.Double(), nullable=True),
        sa.Column("mass_kg", sa.Double(), nullable=True),
        sa.Column("handedness", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_patient_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_patient"),
    )
    op.create_index("ix_patient_study_id_code", "patient", ["study_id", "code"], unique=True)
    op.create_table(
        "device",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("platform", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("os", sa.String(), nullable=True),
        sa.Column("app", sa.String(), nullable=True),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_device_patient_id_patient"),
        sa.PrimaryKeyConstraint("id", name="pk_device"),
    )
    op.create_index("ix_device_patient_id", "device", ["patient_id"], unique=False)
    op.create_table(
        "credential",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("study_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(kind = 'device') = (device_id IS NOT NULL)", name="ck_credential_device_has_device"),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_credential_device_id_device"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_credential_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_credential"),
        sa.UniqueConstraint("token_hash", name="uq_credential_token_hash"),
    )
    op.create_index("ix_credential_device_id", "credential", ["device_id"], unique=False)
    op.create_table(
        "session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=True),
        sa.Column("encoding", sa.String(), nullable=True),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("utc_offset_s", sa.Integer(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=True),
        sa.Column("setting", sa.String(), nullable=True),
        sa.Column("supervised", sa.Boolean(), nullable=True),
        sa.Column("phone", sa.JSON(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_session_device_id_device"),
        sa.ForeignKeyConstraint(["digest"], ["blob.digest"], name="fk_session_digest_blob"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_session_patient_id_patient"),
        sa.PrimaryKeyConstraint("id", name="pk_session"),
    )
    op.create_index("ix_session_digest", "session", ["digest"], unique=False)
    op.create_index(
        "ix_session_patient_id_received_at_id", "session", ["patient_id", "received_at", "id"], unique=False
    )
    op.create_index("ix_session_received_at_id", "session", ["received_at", "id"], unique=False)
    op.create_table(
        "recording",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("assessment", sa.String(), nullable=True),
        sa.Column("condition", sa.JSON(), nullable=False),
        sa.Column("offset_s", sa.Double(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_recording_session_id_session"),
        sa.PrimaryKeyConstraint("id", name="pk_recording"),
    )
    op.create_index("ix_recording_session_id_index", "recording", ["session_id", "index"], unique=True)
    op.create_table(
        "result",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("recording_id", sa.Uuid(), nullable=False),
        sa.Column("catalogue_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("absent", sa.JSON(), nullable=False),
        sa.Column("features", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["catalogue_id"], ["catalogue.id"], name="fk_result_catalogue_id_catalogue"),
        sa.ForeignKeyConstraint(["recording_id"], ["recording.id"], name="fk_result_recording_id_recording"),
        sa.PrimaryKeyConstraint("id", name="pk_result"),
    )
    op.create_index("ix_result_catalogue_id", "result", ["catalogue_id"], unique=False)
    op.create_index("ix_result_recording_id_catalogue_id", "result", ["recording_id", "catalogue_id"], unique=True)
    op.create_table(
        "score",
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("measure_id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["measure_id"], ["measure.id"], name="fk_score_measure_id_measure"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_score_patient_id_patient"),
        sa.ForeignKeyConstraint(["result_id"], ["result.id"], name="fk_score_result_id_result"),
        sa.PrimaryKeyConstraint("result_id", "measure_id", name="pk_score"),
    )
    op.create_index("ix_score_patient_id_measure_id_at", "score", ["patient_id", "measure_id", "at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_score_patient_id_measure_id_at", table_name="score")
    op.drop_table("score")
    op.drop_index("ix_result_recording_id_catalogue_id", table_name="result")
    op.drop_index("ix_result_catalogue_id", table_name="result")
    op.drop_table("result")
    op.drop_index("ix_recording_session_id_index", table_name="recording")
    op.drop_table("recording")
    op.drop_index("ix_session_received_at_id", table_name="session")
    op.drop_index("ix_session_patient_id_received_at_id", table_name="session")
    op.drop_index("ix_session_digest", table_name="session")
    op.drop_table("session")
    op.drop_index("ix_credential_device_id", table_name="credential")
    op.drop_table("credential")
    op.drop_index("ix_device_patient_id", table_name="device")
    op.drop_table("device")
    op.drop_index("ix_patient_study_id_code", table_name="patient")
    op.drop_table("patient")
    op.drop_table("study")
    op.drop_table("measure")
    op.drop_index("ix_catalogue_assessment_version", table_name="catalogue")
    op.drop_table("catalogue")
    op.drop_table("blob")
