"""Who may do what: the one place where it is written.

A permission is what a view, a page or a command asks for. :data:`MATRIX` says for each role how far it reaches:

* ``own`` — a phone its own patient; a member of staff his or her own account
* ``care`` — patients of the care teams to which the member of staff belongs; for what is read in an emergency, after
  breaking the glass, also the one patient for some hours
* ``study`` — the study (or the site of it) in which the role was granted; for a program, the study of its token
* ``everything`` — the whole installation

A role that is not named does not have the permission; what members of staff have without any role is
:data:`WITHOUT_ROLE`. Administrators run the installation and see no patient's data;
researchers see pseudonyms only; monitors change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["administrator", "study_manager", "clinician", "researcher", "monitor", "device", "service"]
Reach = Literal["own", "care", "study", "everything"]
Data = Literal["patient", "none"]
Reaches = dict[Role, Reach]

ROLES: tuple[Role, ...] = (
    "administrator",
    "study_manager",
    "clinician",
    "researcher",
    "monitor",
    "device",
    "service",
)
STAFF_ROLES: tuple[Role, ...] = ("administrator", "study_manager", "clinician", "researcher", "monitor")
"""Roles that a user can be granted."""

STUDY_ROLES: tuple[Role, ...] = ("study_manager", "clinician", "researcher", "monitor")
"""Roles that are granted in a study; an administrator's is everywhere."""

WITHOUT_ROLE = frozenset({"account.own"})
"""What every member of staff has, before a first role is granted and after the last one ended: ``own``."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What may be done, by whom, how far.

    ``data`` says whether a patient's data are seen or changed by it; ``whole``, that it concerns a study as a whole: a
    role that was granted at one site of it does not reach so far; ``emergency``, that whoever broke the glass for a
    patient has it too. That is only for reading: nothing that is done with it lasts longer than the emergency.
    """

    name: str
    means: str
    data: Data
    reach: Reaches
    whole: bool
    emergency: bool


def _permission(
    name: str, means: str, reach: Reaches, *, data: Data = "patient", whole: bool = False, emergency: bool = False
) -> Permission:
    return Permission(name, means, data, {role: reach[role] for role in ROLES if role in reach}, whole, emergency)


_EVERY_STAFF: Reaches = {
    "administrator": "everything",
    "study_manager": "study",
    "clinician": "study",
    "researcher": "study",
    "monitor": "study",
    "service": "study",
}
_STUDY_DATA: Reaches = {
    "study_manager": "study",
    "clinician": "care",
    "researcher": "study",
    "monitor": "study",
    "service": "study",
}
_CARE: Reaches = {"study_manager": "study", "clinician": "care", "service": "study"}
_RUN: Reaches = {"study_manager": "study", "service": "study"}

_DECLARED = (
    # What is of no patient.
    _permission("catalogue.read", "See which tests there are.", {**_EVERY_STAFF, "device": "own"}, data="none"),
    _permission("reference.read", "See scales, norms and definitions of change.", _EVERY_STAFF, data="none"),
    _permission("study.read", "See a study.", _EVERY_STAFF, data="none"),
    _permission("study.create", "Make a study.", {"administrator": "everything", "service": "everything"}, data="none"),
    _permission(
        "study.edit",
        "Change a study: consent, retention.",
        {"administrator": "everything", **_RUN},
        data="none",
        whole=True,
    ),
    _permission("site.read", "See a study's sites.", _EVERY_STAFF, data="none"),
    _permission("site.edit", "Make sites.", {"administrator": "everything", **_RUN}, data="none", whole=True),
    _permission("policy.read", "See how a study's scores are followed.", _EVERY_STAFF, data="none"),
    _permission("policy.edit", "Set how a study's scores are followed.", _RUN, data="none", whole=True),
    _permission("consent_form.read", "See what patients are asked to agree to.", _EVERY_STAFF, data="none"),
    _permission("consent_form.edit", "Make and retire consent forms.", _RUN, data="none", whole=True),
    # Patients and their phones.
    _permission(
        "patient.read",
        "See a patient's pseudonym and what norms need.",
        {**_STUDY_DATA, "device": "own"},
        emergency=True,
    ),
    _permission("patient.create", "Make a patient.", _RUN),
    _permission("patient.edit", "Change what norms need, and the site.", _RUN),
    _permission(
        "identity.read", "See who a patient is.", {"study_manager": "study", "clinician": "care"}, emergency=True
    ),
    _permission("identity.edit", "Say who a patient is.", {"study_manager": "study", "clinician": "care"}),
    _permission(
        "device.read",
        "See a patient's phones.",
        {"study_manager": "study", "clinician": "care", "monitor": "study", "service": "study"},
    ),
    _permission("device.enrol", "Give out a code with which a phone becomes a patient's.", _CARE),
    _permission("device.revoke", "Shut a phone out.", _CARE),
    # Sessions and scores.
    _permission("session.upload", "Hand over a session.", {**_CARE, "device": "own"}),
    _permission(
        "session.read", "See sessions and what came of them.", {**_STUDY_DATA, "device": "own"}, emergency=True
    ),
    _permission(
        "raw.read",
        "Fetch uploads byte for byte, with all that is in them: voice, positions.",
        {"study_manager": "study", "clinician": "care"},
    ),
    _permission(
        "quarantine.read",
        "See which uploads were refused, and why.",
        {"study_manager": "study", "clinician": "care", "monitor": "study", "service": "study", "device": "own"},
    ),
    _permission("quarantine.discard", "Let go of uploads that were refused, for good.", {"study_manager": "study"}),
    _permission("trend.read", "Follow scores over time.", {**_STUDY_DATA, "device": "own"}, emergency=True),
    _permission("summary.read", "See a patient in one line per score.", _STUDY_DATA, emergency=True),
    _permission("observation.read", "See what clinicians and laboratories found.", _STUDY_DATA, emergency=True),
    _permission("observation.enter", "Enter and take back what was found.", _CARE),
    _permission("observation.import", "Import a study's observations.", _RUN),
    _permission("schedule.read", "See what is due.", _STUDY_DATA, emergency=True),
    _permission("schedule.edit", "Say what is due.", _RUN, whole=True),
    _permission(
        "adherence.read",
        "See what is due for a patient, and what was done.",
        {**_STUDY_DATA, "device": "own"},
        emergency=True,
    ),
    _permission(
        "alert.read",
        "See what to look at.",
        {"study_manager": "study", "clinician": "care", "monitor": "study", "service": "study"},
        emergency=True,
    ),
    _permission("alert.acknowledge", "Say that an alert was seen.", _CARE),
    # Tables for research.
    _permission(
        "features.read",
        "Take away a study's features and dictionary.",
        {"study_manager": "study", "researcher": "study", "monitor": "study", "service": "study"},
    ),
    _permission(
        "campaign.read",
        "See which recordings are computed again, and what changes.",
        {"study_manager": "study", "monitor": "study", "service": "study"},
        whole=True,
    ),
    _permission("campaign.edit", "Let recordings be computed again.", _RUN, whole=True),
    _permission(
        "reliability.read",
        "Learn how reliable scores are.",
        {"study_manager": "study", "researcher": "study", "monitor": "study", "service": "study"},
    ),
    # Consent and rights.
    _permission(
        "consent.read",
        "See a patient's consent.",
        {"study_manager": "study", "clinician": "care", "monitor": "study", "service": "study", "device": "own"},
        emergency=True,
    ),
    _permission(
        "consent.record", "Record a patient's decision, also that it is withdrawn.", {**_CARE, "device": "own"}
    ),
    _permission(
        "patient.restrict", "Stop and resume the use of what is kept of a patient.", {"study_manager": "study"}
    ),
    _permission(
        "patient.archive",
        "Take a portable copy of all that is kept of a patient.",
        {"study_manager": "study", "clinician": "care"},
    ),
    _permission("patient.erase", "Erase a patient, for good.", {"study_manager": "study"}),
    _permission(
        "erasure.read",
        "See certificates of erasure.",
        {"administrator": "everything", "study_manager": "study", "monitor": "study"},
        data="none",
        whole=True,
    ),
    # Who cares for whom.
    _permission(
        "team.read", "See a study's care teams.", {"study_manager": "study", "clinician": "study", "monitor": "study"}
    ),
    _permission("team.edit", "Make care teams, and say who is in them.", {"study_manager": "study"}, whole=True),
    _permission(
        "patient.break_glass", "Reach a patient of the study in an emergency, with a reason.", {"clinician": "study"}
    ),
    # Accounts.
    _permission("user.read", "See users and their roles.", {"administrator": "everything"}, data="none"),
    _permission(
        "user.edit", "Make and disable users, grant and end roles.", {"administrator": "everything"}, data="none"
    ),
    _permission(
        "member.read",
        "See who works in a study.",
        {"administrator": "everything", "study_manager": "study", "monitor": "study"},
        data="none",
    ),
    _permission(
        "metrics.read",
        "See how the server fares, in figures that name nobody.",
        {"administrator": "everything", "service": "everything"},
        data="none",
    ),
    _permission("token.read", "See programs' tokens.", {"administrator": "everything"}, data="none"),
    _permission("token.edit", "Make and revoke programs' tokens.", {"administrator": "everything"}, data="none"),
    _permission(
        "account.own",
        "See and change one's own account.",
        {"administrator": "own", "study_manager": "own", "clinician": "own", "researcher": "own", "monitor": "own"},
        data="none",
    ),
    _permission(
        "audit.read",
        "See who did and saw what.",
        {"administrator": "everything", "study_manager": "study", "monitor": "study"},
    ),
)

MATRIX: dict[str, Permission] = {each.name: each for each in _DECLARED}
"""Every permission by name."""


def reach_of(role: Role, permission: str) -> Reach | None:
    """Return how far ``role`` has ``permission``, None where it does not have it."""
    return MATRIX[permission].reach.get(role)


def service_permissions() -> tuple[str, ...]:
    """Return what a program's token may be given."""
    return tuple(name for name, each in MATRIX.items() if "service" in each.reach)


def permissions_page() -> str:
    """Return ``docs/permissions.md``; write it with ``python -m konectom.security.matrix > docs/permissions.md``."""
    head = "".join(f" {role.replace('_', ' ')} |" for role in ROLES)
    lines = [_PAGE_HEAD, f"| permission | means |{head}\n", f"|---|---|{'---|' * len(ROLES)}\n"]
    for each in _DECLARED:
        whole = " \\*" if each.whole else ""
        reaches = "".join(f" {_told(each, role)} |" for role in ROLES)
        lines.append(f"| `{each.name}`{whole} | {each.means} |{reaches}\n")
    return "".join(lines)


def _told(permission: Permission, role: Role) -> str:
    reach = permission.reach.get(role, "")
    return f"{reach}, emergency" if reach == "care" and permission.emergency else reach


_PAGE_HEAD = """# Who may do what

Every endpoint asks for one permission. A role has it as far as the table says; an empty field: not at all. What lies
outside of the reach is answered as if it did not exist. This is the only place where it is decided
(`konectom/security/matrix.py`, from which this page is made).

* `own`: a phone its own patient; a member of staff the own account
* `care`: patients of the care teams to which the clinician belongs; `care, emergency`: for some hours also one patient
  after breaking the glass with a reason. What changes something, or copies everything, is for the care team alone
* `study`: the study in which the role was granted, or the one site of it; for a program, its token's study, or all
* `everything`: the whole installation

\\* concerns a study as a whole: a role that was granted at one site does not have it. A program has only those of the
permissions that its token names. A member of staff has `account.own` also without any role: whoever is new sets up the
second factor before a first role is granted, and whoever has none any more can still log out.

"""


if __name__ == "__main__":
    print(permissions_page(), end="")  # noqa: T201
