"""What can be found, and what is to be done about it. The codes never change once released."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that can be wrong. An error costs data, or work, or safety now; a warning may do so later."""

    code: str
    severity: Severity
    remedy: str


def _error(code: str, remedy: str) -> Kind:
    return Kind(code, "error", remedy)


def _warning(code: str, remedy: str) -> Kind:
    return Kind(code, "warning", remedy)


_DECLARED = (
    # Settings and the machine.
    _error("setting_unsafe", "Change what is named; the server does not start before (docs/security.md)."),
    _warning("mode_development", "Set KONECTOM_MODE=production before the first patient."),
    _warning("limits_per_process", "Several servers: let them count together (KONECTOM_RATE_LIMIT_STORAGE)."),
    _warning("proxies_unknown", "Set KONECTOM_TRUSTED_PROXIES to the number of proxies before the server."),
    _warning("room_unguarded", "Leave KONECTOM_MIN_FREE_BYTES at its default, so that no disk is filled up."),
    _warning("owner_differs", "Run this, and all commands, as the account that the server runs as."),
    _error("room_short", "Make room: uploads are refused (503 store_full) until there is."),
    _warning("room_low", "Make room soon, or give the installation a larger disk."),
    _warning(
        "memory_short",
        "Give the container or unit more, or lower the setting: it counts once for each process of konectom worker.",
    ),
    _error("package_missing", "Install what requirements.lock names."),
    _error("package_unfit", "Install the version that requirements.lock names."),
    # The database.
    _error("database_missing", "Set it up: konectom db upgrade."),
    _error("database_unusable", "See the database's own log; nothing can be kept before it answers."),
    _error("database_read_only", "Point KONECTOM_DATABASE_URL at the primary, or let the file be written."),
    _error("schema_differs", "Run konectom db upgrade, or install the version that made the database."),
    _error("database_damaged", "Stop the server and restore the database from a backup."),
    _error("reference_broken", "Stop the server and restore the database from a backup."),
    _error("database_on_network", "Move SQLite's file to a local disk, or use PostgreSQL."),
    _error("database_not_durable", "Turn the named parameter on: what was acknowledged can be lost in a power cut."),
    _error("database_encoding", "Move to a database with the encoding UTF8."),
    _warning("database_old", "Upgrade PostgreSQL: its makers no longer mend this version."),
    _warning("database_time_zone", "Nothing is kept wrong by it; set the server's TimeZone to UTC all the same."),
    _error("clock_skew", "Let both machines keep their time by NTP: tokens end by the clock."),
    # What is kept.
    _error("store_unusable", "See to the object store; uploads are answered 503 until it works."),
    _error("object_missing", "Restore the object store from a backup: the named object is a patient's upload."),
    _error("object_damaged", "Restore the named object from a backup."),
    _warning("objects_orphaned", "Nothing is lost; the next sweep removes them (konectom serve, within a day)."),
    _error("keys_unusable", "Put the keys back from their backup (docs/security.md); nothing can be opened without."),
    _warning(
        "keys_beside_data", "Keep the backup of the keys apart from that of the data, and KONECTOM_KEYS_URL elsewhere."
    ),
    _error("audit_broken", "Run konectom audit verify, and find out who changed the database (docs/audit.md)."),
    _warning("sessions_waiting", "See that konectom worker runs, and its log; the sweep takes up what was left."),
    _warning("sessions_parked", "See why in the sessions' receipts; once mended: konectom reprocess."),
    _warning("uploads_quarantined", "See why they were refused: konectom quarantine list; release or discard them."),
    _warning("erasure_unfinished", "See the log for erasure.unfinished: what an erasure has to remove is still there."),
)

FINDINGS: dict[str, Kind] = {each.code: each for each in _DECLARED}
"""Every kind by its code."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong here, in words that name no patient."""

    code: str
    told: str

    @property
    def kind(self) -> Kind:
        """Return what this means and what to do."""
        return FINDINGS[self.code]

    def as_dict(self) -> dict[str, str]:
        """Return this as a row."""
        return {"severity": self.kind.severity, "code": self.code, "told": self.told, "do": self.kind.remedy}
