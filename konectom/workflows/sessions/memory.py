"""How much memory a process that computes may take."""

from __future__ import annotations

import resource
import sys


def limit_memory(most_bytes: int) -> None:
    """Let no more be taken for data; programs and libraries do not count. Where the system knows no such limit, none.

    Linux counts private pages that can be written (getrlimit(2), RLIMIT_DATA), which is nearer to what is used than
    all that is reserved (RLIMIT_AS).
    """
    if most_bytes and sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))
