"""The order of a check-up, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DatabaseError

from konectom.errors import KonectomError
from konectom.workflows.checkup import database, kept, machine, memory
from konectom.workflows.checkup.findings import Finding
from konectom.workflows.services import Services

Look = Callable[["Services", "Plan"], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How thorough: how many objects are read, and whether what takes as long as there are data is done."""

    sample: int = 100
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at; where it cannot be, the finding ``else_found`` says so."""

    name: str
    look: Look
    else_found: str
    needs_database: bool = True


CHECKS = (
    Check("settings", lambda services, _: machine.settings(services), "setting_unsafe", needs_database=False),
    Check("files", lambda services, _: machine.files(services), "owner_differs", needs_database=False),
    Check("room", lambda services, _: machine.room(services), "room_short", needs_database=False),
    Check("memory", lambda services, _: memory.memory(services), "memory_short", needs_database=False),
    Check("packages", lambda _, __: machine.packages(), "package_missing", needs_database=False),
    Check("database", lambda services, _: database.reached(services), "database_unusable", needs_database=False),
    Check("schema", lambda services, _: database.schema(services), "schema_differs"),
    Check("durability", lambda services, _: database.durability(services), "database_unusable"),
    Check("clock", lambda services, _: database.clock(services), "database_unusable"),
    Check("integrity", lambda services, plan: database.integrity(services, plan.quick), "database_unusable"),
    Check("keys", lambda services, _: kept.keys(services), "keys_unusable"),
    Check("audit", lambda services, _: kept.audit(services), "audit_broken"),
    Check("store", lambda services, _: kept.store(services), "store_unusable", needs_database=False),
    Check("objects", lambda services, plan: kept.objects(services, plan.sample), "store_unusable"),
    Check("orphans", lambda services, plan: kept.orphans(services, plan.quick), "store_unusable"),
    Check("sessions", lambda services, _: kept.sessions(services), "database_unusable"),
    Check("quarantine", lambda services, _: kept.quarantine(services), "database_unusable"),
    Check("erasures", lambda services, _: kept.erasures(services), "database_unusable"),
)
"""In the order in which one lack explains the next."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What one check found; ``skipped`` where it needs a database that cannot be used."""

    name: str
    findings: tuple[Finding, ...] = ()
    skipped: bool = False

    @property
    def status(self) -> str:
        """Return ``ok``, ``warning``, ``error`` or ``skipped``."""
        if self.skipped:
            return "skipped"
        severities = {each.kind.severity for each in self.findings}
        return "error" if "error" in severities else "warning" if severities else "ok"


@dataclass(frozen=True, slots=True)
class Checkup:
    """All that was looked at."""

    checked: tuple[Checked, ...]

    @property
    def status(self) -> str:
        """Return the worst: ``ok``, ``warning`` or ``error``."""
        found = {each.status for each in self.checked}
        return next((status for status in ("error", "warning") if status in found), "ok")

    def as_dict(self) -> dict[str, Any]:
        """Return this as JSON tells it."""
        return {
            "status": self.status,
            "checks": [{"name": each.name, "status": each.status} for each in self.checked],
            "findings": [finding.as_dict() for each in self.checked for finding in each.findings],
        }


def check_up(services: Services, plan: Plan | None = None) -> Checkup:
    """Look at everything."""
    plan, done, usable = plan or Plan(), [], True
    for check in CHECKS:
        if check.needs_database and not usable:
            done.append(Checked(check.name, skipped=True))
            continue
        found = _looked(check, services, plan)
        done.append(found)
        if check.name in ("database", "schema") and found.status == "error":
            usable = False
    return Checkup(tuple(done))


def _looked(check: Check, services: Services, plan: Plan) -> Checked:
    findings = []
    try:
        for each in check.look(services, plan):
            findings.append(each)
    except KonectomError as error:
        findings.append(Finding(check.else_found, error.detail))
    except DatabaseError as error:
        findings.append(Finding("database_damaged", str(error.orig)))
    except OSError as error:
        findings.append(Finding(check.else_found, str(error.strerror)))
    return Checked(check.name, tuple(findings))
