"""gunicorn's own lines, written as all others are: one form, and no address of anybody.

What gunicorn tells of a request that it could not read begins with who sent it; that is left out, as everywhere.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import structlog
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from konectom import logs
from konectom.errors import SettingInvalid
from konectom.settings import load_settings

_ADDRESS = re.compile(r" from ip=\S*?(?=:? |:?$)")


class Log(Logger):  # type: ignore[misc]
    """gunicorn's log, as it wants it: its lines go where ours go."""

    def setup(self, cfg: Any) -> None:
        """Write through :mod:`konectom.logs`, whatever gunicorn would write to."""
        super().setup(cfg)
        try:
            log_format = load_settings().log_format
        except SettingInvalid:  # the processes that follow say so, and end
            log_format = "console"
        logs.configure(log_format)
        self.error_log.handlers = [Handler()]

    def reopen_files(self) -> None:
        """Do nothing: there are no files of its own."""


class Handler(logging.Handler):
    """Hands a line on, with its place in the code where there was a fault."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        told = _ADDRESS.sub("", record.getMessage())
        fault = {"exc_info": record.exc_info} if record.exc_info and record.exc_info[0] else {}
        structlog.get_logger("gunicorn").log(record.levelno, "server.told", told=told, pid=record.process, **fault)
