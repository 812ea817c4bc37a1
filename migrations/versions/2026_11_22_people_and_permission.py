"""Who may come in, consent, identity, the audit; uploads are sealed."""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
NEW = (
    "audit",
    "audit_head",
    "user",
    "care_team",
    "consent_form",
    "erasure",
    "residue",
    "invitation",
    "login",
    "recovery_code",
    "service_token",
    "site",
    "care_member",
    "grant",
    "break_glass",
    "care_patient",
    "consent",
    "identity",
    "patient_key",
    "device_credential",
    "enrolment",
    "renewal",
)
"""The tables that this makes, each after those to which it refers."""

IRREPLACEABLE = ("audit", "consent", "consent_form", "erasure", "residue", "identity", "patient_key")
"""The tables that must be empty before this is undone."""


def upgrade() -> None:
    _refuse_uploads("their bytes would have to be sealed first")
    op.drop_table("credential")
    _make()
    with op.batch_alter_table("study") as study:
        study.add_column(sa.Column("consent", sa.String(), nullable=False, server_default="elsewhere"))
        study.add_column(sa.Column("retain_until", sa.Date()))
    with op.batch_alter_table("study") as study:
        study.alter_column("consent", server_default=None)
    with op.batch_alter_table("patient") as patient:
        patient.add_column(sa.Column("site_id", sa.Uuid()))
        patient.add_column(sa.Column("restricted_at", INSTANT))
        patient.create_foreign_key("fk_patient_site_id_site", "site", ["site_id"], ["id"])
        patient.create_index("ix_patient_site_id", ["site_id"])
    with op.batch_alter_table("session") as session:
        session.drop_index("ix_session_digest")
        session.drop_constraint("fk_session_digest_blob", type_="foreignkey")
        session.add_column(sa.Column("object", sa.String(), nullable=False))
    with op.batch_alter_table("blob") as blob:
        blob.alter_column("digest", new_column_name="object")
    with op.batch_alter_table("session") as session:
        session.create_foreign_key("fk_session_object_blob", "blob", ["object"], ["object"])
        session.create_index("ix_session_object", ["object"])
        session.create_index("ix_session_device_id", ["device_id"])
    with op.batch_alter_table("score", table_kwargs={"sqlite_with_rowid": False}) as score:
        score.drop_constraint("fk_score_session_id_session", type_="foreignkey")


def downgrade() -> None:
    _refuse_uploads("their sealed bytes could not be read any more")
    _refuse_evidence()
    with op.batch_alter_table("score", table_kwargs={"sqlite_with_rowid": False}) as score:
        score.create_foreign_key("fk_score_session_id_session", "session", ["session_id"], ["id"])
    with op.batch_alter_table("session") as session:
        session.drop_index("ix_session_object")
        session.drop_index("ix_session_device_id")
        session.drop_constraint("fk_session_object_blob", type_="foreignkey")
        session.drop_column("object")
    with op.batch_alter_table("blob") as blob:
        blob.alter_column("object", new_column_name="digest")
    with op.batch_alter_table("session") as session:
        session.create_foreign_key("fk_session_digest_blob", "blob", ["digest"], ["digest"])
        session.create_index("ix_session_digest", ["digest"])
    with op.batch_alter_table("patient") as patient:
        patient.drop_index("ix_patient_site_id")
        patient.drop_constraint("fk_patient_site_id_site", type_="foreignkey")
        patient.drop_column("site_id")
        patient.drop_column("restricted_at")
    with op.batch_alter_table("study") as study:
        study.drop_column("consent")
        study.drop_column("retain_until")
    for name in reversed(NEW):
        op.drop_table(name)
    op.create_table(
        "credential",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("device_id", sa.Uuid()),
        sa.Column("study_id", sa.Uuid()),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.CheckConstraint("(kind = 'device') = (device_id IS NOT NULL)", name="ck_credential_device_has_device"),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_credential_device_id_device"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_credential_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_credential"),
        sa.UniqueConstraint("token_hash", name="uq_credential_token_hash"),
    )
    op.create_index("ix_credential_device_id", "credential", ["device_id"])


def _refuse_uploads(why: str) -> None:
    if op.get_bind().execute(sa.text("SELECT count(*) FROM blob")).scalar():
        raise CommandError(f"this database holds uploads, and cannot be changed over: {why}")


def _refuse_evidence() -> None:
    """Refuse to drop what nothing brings back: who did what, what was agreed to, who was erased, and keys."""
    held = [name for name in IRREPLACEABLE if op.get_bind().scalar(sa.text(f"SELECT count(*) FROM {name}"))]
    if held:
        raise CommandError(f"this database cannot be changed back: {', '.join(held)} would be lost for good")


def _make() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid()),
        sa.Column("actor_name", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("change", sa.String(), nullable=False),
        sa.Column("study_id", sa.Uuid()),
        sa.Column("patient_id", sa.Uuid()),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("before", sa.String()),
        sa.Column("after", sa.String()),
        sa.Column("why", sa.LargeBinary()),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("seal", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_index("ix_audit_actor_id_seq", "audit", ["actor_id", "seq"])
    op.create_index("ix_audit_patient_id_seq", "audit", ["patient_id", "seq"])
    op.create_index("ix_audit_study_id_seq", "audit", ["study_id", "seq"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("head_seal", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    op.execute("INSERT INTO audit_head (id, seq, seal, \"key\", head_seal) VALUES (1, 0, '', '', '')")
    op.create_table(
        "user",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String()),
        sa.Column("password_set_at", INSTANT),
        sa.Column("reset_at", INSTANT),
        sa.Column("totp_sealed", sa.LargeBinary()),
        sa.Column("totp_confirmed_at", INSTANT),
        sa.Column("totp_step", sa.BigInteger()),
        sa.Column("issuer", sa.String()),
        sa.Column("subject", sa.String()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", INSTANT),
        sa.Column("provider_failures", sa.Integer(), nullable=False),
        sa.Column("provider_locked_until", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("disabled_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_user"),
        sa.UniqueConstraint("login", name="uq_user_login"),
    )
    op.create_index("ix_user_issuer_subject", "user", ["issuer", "subject"], unique=True)
    op.create_table(
        "care_team",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_care_team_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_care_team"),
    )
    op.create_index("ix_care_team_study_id_name", "care_team", ["study_id", "name"], unique=True)
    op.create_table(
        "consent_form",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("data_types", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("retired_at", INSTANT),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_consent_form_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_consent_form"),
    )
    op.create_index("ix_consent_form_study_id_version", "consent_form", ["study_id", "version"], unique=True)
    op.create_table(
        "erasure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("erased_at", INSTANT, nullable=False),
        sa.Column("certificate", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_erasure_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_erasure"),
        sa.UniqueConstraint("patient_id", name="uq_erasure_patient_id"),
    )
    op.create_index("ix_erasure_study_id_erased_at_id", "erasure", ["study_id", "erased_at", "id"])
    op.create_table(
        "residue",
        sa.Column("erasure_id", sa.Uuid(), nullable=False),
        sa.Column("object", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasure.id"], name="fk_residue_erasure_id_erasure"),
        sa.PrimaryKeyConstraint("erasure_id", "object", name="pk_residue"),
    )
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_invitation_user_id_user"),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("code_hash", name="uq_invitation_code_hash"),
    )
    op.create_index("ix_invitation_user_id", "invitation", ["user_id"])
    op.create_table(
        "login",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_login_user_id_user"),
        sa.PrimaryKeyConstraint("id", name="pk_login"),
        sa.UniqueConstraint("token_hash", name="uq_login_token_hash"),
    )
    op.create_index("ix_login_user_id_ended_at", "login", ["user_id", "ended_at"])
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_recovery_code_user_id_user"),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_code"),
    )
    op.create_index("ix_recovery_code_user_id", "recovery_code", ["user_id"])
    op.create_table(
        "service_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("study_id", sa.Uuid()),
        sa.Column("permissions", sa.JSON(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Uuid()),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_service_token_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_service_token"),
        sa.UniqueConstraint("token_hash", name="uq_service_token_token_hash"),
    )
    op.create_index("ix_service_token_created_at_id", "service_token", ["created_at", "id"])
    op.create_table(
        "site",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_site_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_site"),
    )
    op.create_index("ix_site_study_id_code", "site", ["study_id", "code"], unique=True)
    op.create_table(
        "care_member",
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["care_team.id"], name="fk_care_member_team_id_care_team"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_care_member_user_id_user"),
        sa.PrimaryKeyConstraint("team_id", "user_id", name="pk_care_member"),
    )
    op.create_index("ix_care_member_user_id", "care_member", ["user_id"])
    op.create_table(
        "grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("study_id", sa.Uuid()),
        sa.Column("site_id", sa.Uuid()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_grant_site_id_site"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_grant_study_id_study"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_grant_user_id_user"),
        sa.PrimaryKeyConstraint("id", name="pk_grant"),
    )
    op.create_index("ix_grant_site_id", "grant", ["site_id"])
    op.create_index("ix_grant_study_id", "grant", ["study_id"])
    op.create_index("ix_grant_user_id_ended_at", "grant", ["user_id", "ended_at"])
    op.create_table(
        "break_glass",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_break_glass_patient_id_patient"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_break_glass_user_id_user"),
        sa.PrimaryKeyConstraint("id", name="pk_break_glass"),
    )
    op.create_index("ix_break_glass_patient_id", "break_glass", ["patient_id"])
    op.create_index(
        "ix_break_glass_user_id_patient_id_expires_at", "break_glass", ["user_id", "patient_id", "expires_at"]
    )
    op.create_table(
        "care_patient",
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_care_patient_patient_id_patient"),
        sa.ForeignKeyConstraint(["team_id"], ["care_team.id"], name="fk_care_patient_team_id_care_team"),
        sa.PrimaryKeyConstraint("team_id", "patient_id", name="pk_care_patient"),
    )
    op.create_index("ix_care_patient_patient_id", "care_patient", ["patient_id"])
    op.create_table(
        "consent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("form_id", sa.Uuid()),
        sa.Column("data_type", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("entered_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.ForeignKeyConstraint(["form_id"], ["consent_form.id"], name="fk_consent_form_id_consent_form"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_consent_patient_id_patient"),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
    )
    op.create_index("ix_consent_form_id", "consent", ["form_id"])
    op.create_index("ix_consent_patient_id_data_type_ended_at", "consent", ["patient_id", "data_type", "ended_at"])
    op.create_index("ix_consent_state_ended_at", "consent", ["state", "ended_at"])
    op.create_table(
        "identity",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_identity_patient_id_patient"),
        sa.PrimaryKeyConstraint("patient_id", name="pk_identity"),
    )
    op.create_table(
        "patient_key",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_patient_key_patient_id_patient"),
        sa.PrimaryKeyConstraint("patient_id", name="pk_patient_key"),
    )
    op.create_index("ix_patient_key_key", "patient_key", ["key"])
    op.create_table(
        "device_credential",
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("renewal_hash", sa.String(), nullable=False),
        sa.Column("access_hash", sa.String(), nullable=False),
        sa.Column("access_expires_at", INSTANT, nullable=False),
        sa.Column("renewal_expires_at", INSTANT, nullable=False),
        sa.Column("renewed_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT),
        sa.Column("revoked_for", sa.String()),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_device_credential_device_id_device"),
        sa.PrimaryKeyConstraint("device_id", name="pk_device_credential"),
        sa.UniqueConstraint("access_hash", name="uq_device_credential_access_hash"),
        sa.UniqueConstraint("renewal_hash", name="uq_device_credential_renewal_hash"),
    )
    op.create_table(
        "enrolment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.Column("device_id", sa.Uuid()),
        sa.Column("revoked_at", INSTANT),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_enrolment_device_id_device"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name="fk_enrolment_patient_id_patient"),
        sa.PrimaryKeyConstraint("id", name="pk_enrolment"),
        sa.UniqueConstraint("code_hash", name="uq_enrolment_code_hash"),
    )
    op.create_index("ix_enrolment_device_id", "enrolment", ["device_id"])
    op.create_index("ix_enrolment_patient_id_created_at_id", "enrolment", ["patient_id", "created_at", "id"])
    op.create_table(
        "renewal",
        sa.Column("from_hash", sa.String(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("to_hash", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_renewal_device_id_device"),
        sa.PrimaryKeyConstraint("from_hash", name="pk_renewal"),
    )
    op.create_index("ix_renewal_device_id_at", "renewal", ["device_id", "at"])
