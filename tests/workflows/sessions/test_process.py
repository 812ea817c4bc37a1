import subprocess
import sys

from konectom import formats
from konectom.recording import Rejected
from konectom.workflows.sessions.process import Extracted, Failed, extract_session
from tests.probe import probe_recording, session_body


def test_each_recording_comes_to_something_in_its_place(probe):
    bad = probe_recording()
    bad["streams"]["accelerometer"]["y"].pop()
    body = session_body(probe_recording(), bad, {"assessment": "probe"}, probe_recording(x=[1e7, 1]), probe_recording())
    outcomes = extract_session(formats.read(body))
    assert [type(each) for each in outcomes] == [Extracted, Rejected, Rejected, Failed, Extracted]
    assert outcomes[0].result.features[0] == 4
    assert [outcomes[1].error["at"], outcomes[2].error["at"]] == [
        "/recordings/1/streams/accelerometer/y",
        "/recordings/2/streams/accelerometer",
    ]
    assert isinstance(outcomes[3].fault, ZeroDivisionError)
    assert outcomes[3].error["at"] == "/recordings/3"


def test_what_the_reader_could_not_read_keeps_its_place(probe):
    recording = probe_recording()
    streams = {"accelerometer": {"unit": "furlong"}}
    body = session_body(recording, recording | {"streams": streams})
    outcome = extract_session(formats.read(body))[1]
    assert outcome.error["at"] == "/recordings/1/streams/accelerometer/unit"


def test_a_defect_tells_its_own_place(probe):
    from konectom.recording import Defect, Part, Recording, Session

    place = "/body/level/0/accelerometer/t"
    part = Part(defects=(Defect("accelerometer", "time_not_finite", "no time", place),))
    started_at = formats.read(session_body()).started_at
    session = Session("any", started_at, recordings=(Recording("probe", (part,)),))
    (outcome,) = extract_session(session)
    assert (outcome.error["code"], outcome.error["at"]) == ("time_not_finite", place)


def test_to_extract_takes_no_database_and_no_server():
    script = """
import sys
import konectom.workflows.sessions.process
print(sorted({"sqlalchemy", "alembic", "flask", "pyarrow", "structlog"} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_workflows_know_neither_the_server_nor_the_command_line():
    script = """
import importlib, pkgutil, sys
import konectom.workflows as package
for module in pkgutil.iter_modules(package.__path__):
    importlib.import_module(f"{package.__name__}.{module.name}")
print(sorted({"flask", "click", "flask_smorest"} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
