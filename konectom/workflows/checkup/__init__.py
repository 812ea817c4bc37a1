"""``konectom doctor``: everything that can be wrong with an installation, looked at one after the other.

Nothing is changed, but for one object that is written to the store and removed again. Each finding has a stable code.
"""

from konectom.workflows.checkup.findings import FINDINGS, Finding, Kind, Severity
from konectom.workflows.checkup.run import CHECKS, Checked, Checkup, check_up

__all__ = ["CHECKS", "FINDINGS", "Checked", "Checkup", "Finding", "Kind", "Severity", "check_up"]
