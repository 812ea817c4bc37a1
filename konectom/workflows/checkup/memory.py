"""How much memory the system lets this process and its kin have, and whether the settings fit into that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from konectom.settings import PREFIX
from konectom.workflows.checkup.findings import Finding
from konectom.workflows.services import Services

UNLIMITED = 2**60
"""From here on a limit is none: version 1 tells of none as the largest number of pages."""


def memory(services: Services, root: Path = Path("/")) -> Iterator[Finding]:
    """Find a limit (of a container, of a unit) below what one process that computes may take.

    Above it the system ends a process by force, perhaps another one, where the setting would have ended its try alone.
    """
    limit, most = group_limit(root), services.settings.processing_memory_bytes
    if limit is None or 0 < most < limit:
        return
    asked = f"{most / 2**30:.1f} GiB" if most else "without limit"
    name = f"{PREFIX}PROCESSING_MEMORY_BYTES"
    yield Finding(
        "memory_short", f"{limit / 2**30:.1f} GiB of memory are allowed here, to one process {asked} ({name})"
    )


def group_limit(root: Path = Path("/")) -> int | None:
    """Return the least limit of memory of the control groups of this process, in bytes; None where there is none.

    Version 2 tells it in ``memory.max`` of each group, version 1 in ``memory.limit_in_bytes``. In a container the own
    group is often shown as the root, though its path is told as the host sees it: so all of the path are looked at.
    """
    try:
        told = (root / "proc/self/cgroup").read_text()
    except OSError:  # no Linux
        return None
    found = [limit for line in told.splitlines() for limit in _limits(root / "sys/fs/cgroup", line)]
    return min(found, default=None)


def _limits(mounted: Path, line: str) -> Iterator[int]:
    number, controllers, path = line.split(":", 2)
    if number == "0" and not controllers:
        groups, name = mounted, "memory.max"
    elif "memory" in controllers.split(","):
        groups, name = mounted / "memory", "memory.limit_in_bytes"
    else:
        return
    place = PurePosixPath(path.lstrip("/"))
    for group in (place, *place.parents):
        try:
            limit = (groups / group / name).read_text().strip()
        except OSError:  # the root group of version 2 has none; others cannot be seen from within a container
            continue
        if limit.isdigit() and int(limit) < UNLIMITED:
            yield int(limit)
