"""Where the processes of one server count together: files in a private directory, which goes with the server.

prometheus_client writes a file for each process and kind of metric there (its "multiprocess mode"), and adds them up
when it is asked. A directory that a server which was killed left behind is removed by the next one.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from konectom.metrics import DIRECTORY

_NAME = "konectom-metrics-"


def begin() -> None:
    """Make the directory, for our own account only, and name it to the processes that follow."""
    _remove_left_behind()
    os.environ[DIRECTORY] = tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-")


def forget(pid: int) -> None:
    """Remove what a process that ended told of the moment: what it has in hand is nothing any more."""
    directory = os.environ.get(DIRECTORY)
    if directory:
        for file in Path(directory).glob(f"gauge_live*_{pid}.db"):
            file.unlink(missing_ok=True)


def end() -> None:
    """Remove the directory of this process, if it is its own."""
    directory = Path(os.environ.get(DIRECTORY, ""))
    if directory.name.startswith(f"{_NAME}{os.getpid()}-"):
        shutil.rmtree(directory, ignore_errors=True)


def _remove_left_behind() -> None:
    for left in Path(tempfile.gettempdir()).glob(f"{_NAME}*"):
        found = re.match(rf"{_NAME}([0-9]+)-", left.name)
        # Whose account it is, is asked of the entry itself: somebody may have laid a link there.
        if found and left.lstat().st_uid == os.getuid() and not left.is_symlink() and not _lives(int(found[1])):
            shutil.rmtree(left, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
