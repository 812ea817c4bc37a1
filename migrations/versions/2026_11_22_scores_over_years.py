"""Scores that can be followed without a join; observations, schedules, alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
MICROSECONDS = {
    "sqlite": "CAST(strftime('%s', substr(s.at, 1, 19)) AS INTEGER) * 1000000"
    " + CAST(substr(s.at || '000000', 21, 6) AS INTEGER)",
    "postgresql": "(extract(epoch from s.at) * 1000000)::bigint",
}
FLAGS = {
    "sqlite": "(SELECT group_concat(json_extract(f.value, '$.code'), ' ') FROM json_each(r.flags) f)",
    "postgresql": "(SELECT string_agg(f ->> 'code', ' ') FROM json_array_elements(r.flags) f)",
}
INSTANTS = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S', (s.at - ((s.at % 1000000) + 1000000) % 1000000) / 1000000, 'unixepoch')"
    " || printf('.%06d', ((s.at % 1000000) + 1000000) % 1000000)",
    "postgresql": "timestamptz 'epoch' + s.at * interval '1 microsecond'",
}


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.execute(
        "CREATE TABLE score_kept AS SELECT s.patient_id, s.measure_id,"
        f' {MICROSECONDS[dialect]} AS at, c.session_id, c."index", r.catalogue_id, session.utc_offset_s, r.verdict,'
        f" coalesce({FLAGS[dialect]}, '') AS flags, s.value FROM score s JOIN result r ON r.id = s.result_id"
        " JOIN recording c ON c.id = r.recording_id JOIN session ON session.id = c.session_id"
    )
    op.drop_table("score")
    op.create_table(
        "score",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("measure_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("catalogue_id", sa.Integer(), nullable=False),
        sa.Column("utc_offset_s", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("flags", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["catalogue_id"], ["catalogue.id"], name="fk_score_catalogue_id_catalogue"),
        sa.ForeignKeyConstraint(["measure_id"], ["measure.id"], name="fk_score_measure_id_measure"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_score_patient_id_patient"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_score_session_id_session"),
        sa.PrimaryKeyConstraint(
            "patient_id", "measure_id", "at", "session_id", "index", "catalogue_id", name="pk_score"
        ),
        sqlite_with_rowid=False,
    )
    columns = 'patient_id, measure_id, at, session_id, "index", catalogue_id, utc_offset_s, verdict, flags, value'
    op.execute(f"INSERT INTO score ({columns}) SELECT {columns} FROM score_kept")
    op.drop_table("score_kept")
    op.add_column("study", sa.Column("policy", sa.JSON(none_as_null=True), nullable=True))
    _create_observations()
    _create_following()


def _create_observations() -> None:
    op.create_table(
        "observation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("utc_offset_s", sa.Integer(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("absent", sa.JSON(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("entered_at", INSTANT, nullable=False),
        sa.Column("retracted_at", INSTANT, nullable=True),
        sa.Column("retracted_for", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_observation_patient_id_patient"),
        sa.PrimaryKeyConstraint("id", name="pk_observation"),
    )
    for columns in (["patient_id", "code", "at"], ["patient_id", "digest"], ["patient_id", "entered_at", "id"]):
        op.create_index(f"ix_observation_{'_'.join(columns)}", "observation", columns, unique=False)
    op.create_table(
        "observed",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("measure_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("observation_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("utc_offset_s", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("flags", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["measure_id"], ["measure.id"], name="fk_observed_measure_id_measure"),
        sa.ForeignKeyConstraint(["observation_id"], ["observation.id"], name="fk_observed_observation_id_observation"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_observed_patient_id_patient"),
        sa.PrimaryKeyConstraint("patient_id", "measure_id", "at", "observation_id", name="pk_observed"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_observed_observation_id", "observed", ["observation_id"], unique=False)


def _create_following() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("assessment", sa.String(), nullable=False),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_schedule_patient_id_patient"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_schedule_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_schedule"),
    )
    op.create_index(
        "ix_schedule_study_id_patient_id_assessment",
        "schedule",
        ["study_id", "patient_id", "assessment"],
        unique=False,
    )
    op.create_table(
        "noise",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("measure_id", sa.Integer(), nullable=False),
        sa.Column("computed_at", INSTANT, nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["measure_id"], ["measure.id"], name="fk_noise_measure_id_measure"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_noise_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_noise"),
    )
    op.create_index(
        "ix_noise_study_id_measure_id_computed_at", "noise", ["study_id", "measure_id", "computed_at"], unique=True
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("found_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("acknowledged_at", INSTANT, nullable=True),
        sa.Column("acknowledged_by", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_alert_patient_id_patient"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_alert_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
    )
    op.create_index("ix_alert_study_id_found_at_id", "alert", ["study_id", "found_at", "id"], unique=False)
    op.create_index("ix_alert_patient_id_kind", "alert", ["patient_id", "kind"], unique=False)
    op.create_table(
        "review",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("reviewed_at", INSTANT, nullable=False),
        sa.Column("seen_until", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_review_patient_id_patient"),
        sa.PrimaryKeyConstraint("patient_id", name="pk_review"),
    )


def downgrade() -> None:
    for table in ("review", "alert", "noise", "schedule", "observed", "observation"):
        op.drop_table(table)
    with op.batch_alter_table("study") as study:
        study.drop_column("policy")
    dialect = op.get_bind().dialect.name
    op.execute(
        f"CREATE TABLE score_kept AS SELECT r.id AS result_id, s.measure_id, s.patient_id, {INSTANTS[dialect]} AS at,"
        ' s.value FROM score s JOIN recording c ON c.session_id = s.session_id AND c."index" = s."index"'
        " JOIN result r ON r.recording_id = c.id AND r.catalogue_id = s.catalogue_id"
    )
    op.drop_table("score")
    op.create_table(
        "score",
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("measure_id", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["measure_id"], ["measure.id"], name="fk_score_measure_id_measure"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_score_patient_id_patient"),
        sa.ForeignKeyConstraint(["result_id"], ["result.id"], name="fk_score_result_id_result"),
        sa.PrimaryKeyConstraint("result_id", "measure_id", name="pk_score"),
    )
    op.create_index("ix_score_patient_id_measure_id_at", "score", ["patient_id", "measure_id", "at"], unique=False)
    columns = "result_id, measure_id, patient_id, at, value"
    op.execute(f"INSERT INTO score ({columns}) SELECT {columns} FROM score_kept")
    op.drop_table("score_kept")
