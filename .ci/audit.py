"""The dependency audit: fails where a pinned dependency has a known vulnerability that nobody has judged.

    python .ci/audit.py

pip-audit compares the versions in requirements.lock with the Python Packaging Advisory Database. Where its source
cannot be reached (no network, or a mirror that has none of it) that is said, and nothing fails. What was judged not to
concern konectom stands in audit-ignored.toml, with the reason and the day until which the judgement holds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
LOCK = HERE.parent / "requirements.lock"
IGNORED = HERE / "audit-ignored.toml"
WITHIN_S = 300
UNREACHED = "dependency audit: source not reachable, skipped"


class Verdict(NamedTuple):
    """What to print, and whether the build fails."""

    lines: list[str]
    failed: bool


def main() -> int:
    """Run the audit; return the exit status."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(LOCK)),
        *("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json", "--desc", "off"),
    ]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN_S)  # noqa: S603
    except subprocess.TimeoutExpired:
        print(UNREACHED)
        return 0
    if "No module named pip_audit" in ran.stderr:
        print("dependency audit: pip-audit is not installed, skipped")
        return 0
    verdict = judged(ran.stdout, tomllib.loads(IGNORED.read_text()), datetime.now(UTC).date())
    print("\n".join(verdict.lines))
    return int(verdict.failed)


def judged(report: str, ignored: Mapping[str, Any], today: date) -> Verdict:
    """Return what a report of pip-audit (JSON, or nothing where it broke off) means for the build."""
    try:
        dependencies = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Verdict([UNREACHED], failed=False)
    looked_at = [each for each in dependencies if "skip_reason" not in each]
    if not looked_at:  # a mirror that serves files only knows no package by name
        return Verdict([UNREACHED], failed=False)
    lines, failed, unused = [], False, set(ignored)
    for each in looked_at:
        for found in each.get("vulns", ()):
            names = {found["id"], *found.get("aliases", ())}
            unused -= names
            known = next((ignored[name] for name in sorted(names) if name in ignored), None)
            mended = ", ".join(found.get("fix_versions", ())) or "nothing yet"
            told = f"{each['name']} {each['version']}: {found['id']} (mended in {mended})"
            if known is None:
                lines.append(f"FOUND {told}")
                failed = True
            elif known["until"] < today:
                lines.append(f"FOUND {told}; the judgement held until {known['until']}: {known['reason']}")
                failed = True
            else:
                lines.append(f"judged {told}; until {known['until']}: {known['reason']}")
    lines += [f"no longer found, strike it out of {IGNORED.name}: {name}" for name in sorted(unused)]
    passed_over = len(dependencies) - len(looked_at)
    if passed_over:
        lines.append(f"not known to the source, so not judged: {passed_over} of {len(dependencies)}")
    lines.append(f"dependency audit: {len(looked_at)} packages, {'FAILED' if failed else 'nothing to mend'}")
    return Verdict(lines, failed)


if __name__ == "__main__":
    sys.exit(main())
