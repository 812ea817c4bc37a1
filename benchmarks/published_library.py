"""The published library on the same recordings: run by recordings.py with a Python 3.10 that has dispel 0.0.3.

    python3.10 published_library.py < paths

Reads paths of recordings, one a line, and answers each with a line of JSON: the CPU seconds of its processing, reading
left out, as a phone's file is read once by either; how many measures came of it; or the error that stopped it. Walks
are processed twice, as usual and with the steps by the method of Lee, which ours has as well.

It runs where konectom is not installed: standard library and dispel only.
"""

import gzip
import json
import sys
import warnings
from pathlib import Path
from time import process_time

warnings.simplefilter("ignore")

from dispel.io import read  # noqa: E402
from dispel.processing import process  # noqa: E402
from dispel.providers import auto_process  # noqa: E402
from dispel.providers.ads.data import ADSReading  # noqa: E402
from dispel.providers.bdh.tasks.gait import BDHGaitStepsInclLee  # noqa: E402
from dispel.providers.bdh.tasks.typing import steps as _typing  # noqa: E402, F401 - registers itself when imported
from dispel.providers.digital_artefacts.data import DigitalArtefactsReading  # noqa: E402
from dispel.providers.digital_artefacts.tasks.ft import process_ft  # noqa: E402
from dispel.providers.generic.tasks.gait.steps import TASK_NAME, GaitStepsInclLee  # noqa: E402

WALKS = ("6mwt", "6mwt-activity", "6mw-activity")


def with_lee(reading):
    """Process a walk with the steps by the method of Lee."""
    steps = GaitStepsInclLee() if isinstance(reading, ADSReading) else BDHGaitStepsInclLee()
    return process(reading, steps, task_name=TASK_NAME)


def timed(way, document):
    """Return the CPU seconds of one way to process a recording, and how many measures came of it."""
    reading = read(json.loads(document))
    began = process_time()
    way(reading)
    return process_time() - began, len(reading.get_merged_measure_set())


def measured(path):
    """Return what became of a recording."""
    body = Path(path).read_bytes()
    document = gzip.decompress(body) if path.endswith(".gz") else body
    told = {}
    try:
        reading = read(json.loads(document))
        usual = process_ft if isinstance(reading, DigitalArtefactsReading) else auto_process
        told["cpu_s"], told["measures"] = timed(usual, document)
        told["usual_cpu_s"] = told["cpu_s"]
        if str(reading.evaluation.id) in WALKS:
            told["cpu_s"], told["measures"] = timed(with_lee, document)
    except Exception as error:  # whatever it fails with is what is told
        told["error"] = f"{type(error).__name__}: {str(error)[:120]}"
    return told


for line in sys.stdin:
    print(json.dumps(measured(line.rstrip("\n"))), flush=True)
