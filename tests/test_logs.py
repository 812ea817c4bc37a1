import io
import json

import pytest
import structlog

from konectom.logs import configure


@pytest.fixture(autouse=True)
def _as_before():
    yield
    structlog.reset_defaults()


def fail():
    pulse = "a patient's value"  # noqa: F841
    raise ZeroDivisionError("a fault")


def written(log_format):
    out = io.StringIO()
    configure(log_format, stream=out)
    log = structlog.get_logger()
    log.debug("not.shown")
    log.info("session.stored", session="abc", recordings=2)
    try:
        fail()
    except ZeroDivisionError as fault:
        log.error("recording.failed", index=1, exc_info=fault)
    return out.getvalue()


def test_json_is_one_object_a_line():
    first, second = map(json.loads, written("json").splitlines())
    assert (first["event"], first["level"], first["session"], first["recordings"]) == (
        "session.stored",
        "info",
        "abc",
        2,
    )
    assert first["timestamp"].endswith("Z")
    assert second["exception"][0]["exc_type"] == "ZeroDivisionError"


def test_the_console_is_for_people():
    text = written("console")
    assert "session.stored" in text
    assert "ZeroDivisionError: a fault" in text
    assert "\x1b[" not in text


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_does_not_tell_the_values_of_variables(log_format):
    assert "a patient's value" not in written(log_format).replace('pulse = "a patient\'s value"', "")
