"""Whatever stands in a foreign file, its reader returns a session or refuses with an error of ours.

The files are small: real ones cut to a few rows, of one file for each task; and one made up for each format, so that
something is tried where the real ones are absent. Each is damaged in some places: something left out, something of
another kind in its place, a list cut short.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from konectom import formats
from konectom.errors import KonectomError
from konectom.formats import ads, konectom2
from konectom.recording import Recording, Session
from tests.formats import (
    test_ads,
    test_digital_artefacts,
    test_konectom2,
    test_sensorlog,
    test_session1,
    test_voice_files,
)
from tests.shared import KONECTOM, inflated, recordings

ROWS = 4
LEVELS = 3
CHARACTERS = 2000

SYMBOLS: dict[str, Any] = copy.deepcopy(test_konectom2.FILE)
SYMBOLS["header"]["schema_id"]["name"] = "cps-activity"
SYMBOLS["header"]["raw_data"] = {
    "activity_sequence": {
        "columns": {"presented_symbol_timestamp": {"unit": "ms"}, "response_timestamp": {"unit": "ms"}}
    }
}
SYMBOLS["body"]["levels"][0] |= {
    "configuration": {"mode": "symbol-to-digit", "reference_table_type": 3},
    "raw_data": {
        "activity_sequence": {
            "presented_symbol_timestamp": [1_600_000_001_000, 1_600_000_002_000, 1_600_000_003_000],
            "presented_symbol": [1, 2, 3],
            "response": [1, 2, None],
            "response_timestamp": [1_600_000_001_500, 1_600_000_002_500, None],
            "reference_table": [[1, 2, 3, 4, 5, 6, 7, 8, 9]] * 3,
        }
    },
}


def cut(value: Any, depth: int = 0) -> Any:
    """Return a document with its lists cut to their first elements, and its texts to a base64 of few samples."""
    if isinstance(value, dict):
        return {key: cut(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        wide = value and isinstance(value[0], dict) and ("value" in value[0] or "name" in value[0])
        return [cut(each, depth + 1) for each in (value if wide or len(value) == 9 else value[:ROWS])]
    return value[:CHARACTERS] if isinstance(value, str) else value


def task(document: Any) -> str | None:
    """Return the name of the task that a foreign file holds, where it is one that is read."""
    if konectom2.recognises(document):
        name = document["header"]["schema_id"]["name"]
        return name if name in konectom2.tasks.TASKS else None
    code = document["mobileEvaluationTest"]["code"] if ads.recognises(document) else None
    return f"ads/{code}" if code in ads.tasks.TASKS else None


MADE_UP: dict[str, Any] = {
    "made up tap": test_konectom2.FILE,
    "made up cps": SYMBOLS,
    "made up voice": cut(test_voice_files.VOICE),
    "made up ads/cps": test_ads.FILE,
    "made up digital_artefacts": test_digital_artefacts.FILE,
    "made up sensorlog": test_sensorlog.FILE,
}


@cache
def documents() -> dict[str, bytes]:
    """Return a document for each task, by its name."""
    found = {name: orjson.dumps(made) for name, made in {"session1": test_session1.SESSION, **MADE_UP}.items()}
    for folder in sorted((*KONECTOM.glob("bdh/*/"), *KONECTOM.glob("ads/*/"))):
        for path in recordings(str(folder))[-1:]:  # the last of SBT-UTT is whole
            document = orjson.loads(inflated(path))
            name = task(document)
            if name is not None:
                found.setdefault(name, orjson.dumps(cut(document)))
    return found


DEEP = "nested deeply"
"""Stands for lists in lists, of which more than Python can walk are still JSON."""
WRONG = st.sampled_from(
    [
        *(None, True, False, -1, 0, 7.5, 1e300, 1e-320, 2**63, 1_600_000_000_000, "1600000000000"),
        *("", "x", "\N{SUPERSCRIPT TWO}", "1,2", "nan", "true", "y" * 1500, DEEP),
        *([], ["x"], [[1]], [None], {}, {"a": 1}, {"name": []}),
    ]
)


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of each node."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, each in inner for place in places(each, (*here, key)))]


@cache
def places_of(name: str) -> list[tuple[Any, ...]]:
    return places(orjson.loads(documents()[name]))[1:]


def damage(document: Any, place: tuple[Any, ...], how: str, value: Any) -> None:
    """Change one place; nothing where an earlier change took it away."""
    holder = document
    try:
        for token in place[:-1]:
            holder = holder[token]
        held = holder[place[-1]]
    except (KeyError, IndexError, TypeError):
        return
    if isinstance(holder, str):
        return
    if how == "leave out":
        del holder[place[-1]]
    elif how == "shorten" and isinstance(held, list):
        del held[len(held) // 2 :]
    elif how == "double" and isinstance(held, list):
        held += held
    elif how == "insert" and isinstance(held, list):
        held.insert(0, value)
    else:
        holder[place[-1]] = value


def read(document: Any) -> Session | None:
    try:
        body = orjson.dumps(document).replace(orjson.dumps(DEEP), b"[" * 900 + b"]" * 900)
        return formats.read(body)
    except KonectomError:
        return None


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_no_damage_makes_a_reader_fail(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(documents())), label="task")
    document = orjson.loads(documents()[name])
    hurts = st.tuples(
        st.sampled_from(places_of(name)),
        st.sampled_from(["leave out", "shorten", "double", "insert", "replace", "replace"]),
        WRONG,
    )
    for place, how, value in data.draw(st.lists(hurts, min_size=1, max_size=4), label="damage"):
        damage(document, place, how, copy.deepcopy(value))
    read(document)


@pytest.mark.parametrize("name", ["session1", *MADE_UP])
@pytest.mark.parametrize("how", ["leave out", "shorten", "double", "replace"])
@pytest.mark.parametrize("value", [["x"], DEEP, None, "y" * 1500])
def test_damage_in_any_one_place_is_refused_or_read(name: str, how: str, value: Any) -> None:
    for place in places_of(name):
        document = orjson.loads(documents()[name])
        damage(document, place, how, value)
        read(document)


def test_the_documents_are_read_as_they_are() -> None:
    for name, body in documents().items():
        session = formats.read(body)
        assert any(isinstance(each, Recording) for each in session.recordings), (name, session)
