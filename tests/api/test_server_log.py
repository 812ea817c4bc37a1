"""What the server underneath tells is told in our form, and without addresses."""

import io
import logging
import sys

import orjson
import pytest
import structlog

from konectom import logs
from konectom.api.server_log import Handler


@pytest.fixture
def told():
    out = io.StringIO()
    logs.configure("json", stream=out)
    yield lambda: [orjson.loads(line) for line in out.getvalue().splitlines()]
    structlog.reset_defaults()


def record(message, *arguments, level=logging.WARNING, exc_info=None):
    return logging.LogRecord("gunicorn.error", level, "f.py", 1, message, arguments, exc_info)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("Invalid request from ip=192.0.2.7: Invalid HTTP header", "Invalid request: Invalid HTTP header"),
        ("Invalid request from ip=2001:db8::7: bad", "Invalid request: bad"),
        ("Booting worker with pid: 7", "Booting worker with pid: 7"),
    ],
)
def test_a_line_has_our_form_and_no_address(told, message, line):
    Handler().emit(record("%s", message))
    (written,) = told()
    assert (written["event"], written["level"], written["told"]) == ("server.told", "warning", line)


def test_a_fault_is_told_by_its_place(told):
    try:
        raise ValueError("what was sent")
    except ValueError:
        Handler().emit(record("Error handling request", level=logging.ERROR, exc_info=sys.exc_info()))
    (written,) = told()
    assert written["exception"][0]["exc_type"] == "ValueError"
    assert "what was sent" not in str(written).replace('ValueError("what was sent")', "")
