"""The examples of docs/http.md are requests that work, and the page leaves nothing out."""

import re
from pathlib import Path
from uuid import UUID

import orjson
import pyotp
import pytest

from konectom import formats
from konectom.assessments import every_assessment
from konectom.errors import BodyDamaged
from konectom.formats import FORMATS, Limits, _source
from konectom.formats._streams import KINDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "http.md").read_text()
BLOCKS = re.findall(r"^```http\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ANYTHING = "…"


def parts_of(block):
    """First line, headers and body of a request or an answer."""
    head, _, body = block.partition("\n\n")
    first, *lines = head.strip().splitlines()
    return first, dict(line.split(": ", 1) for line in lines), body.strip()


def agree(told, real, learnt=None):
    """Tell whether the answer is what the page says, where it says something; note what each ``$NAME`` stands for."""
    if told == ANYTHING:
        return True
    if learnt is not None and isinstance(told, str) and re.fullmatch(r"\$[A-Z_]+", told):
        return learnt.setdefault(told, real) == real
    if isinstance(told, dict):
        named = {name: value for name, value in told.items() if name != ANYTHING}
        complete = ANYTHING in told or named.keys() == real.keys()
        return (
            complete and named.keys() <= real.keys() and all(agree(named[name], real[name], learnt) for name in named)
        )
    if isinstance(told, list):
        if told and told[-1] == ANYTHING:
            told, real = told[:-1], real[: len(told) - 1]
        return len(told) == len(real) and all(agree(*pair, learnt) for pair in zip(told, real, strict=True))
    return told == real


def test_blocks_come_in_pairs():
    assert len(BLOCKS) >= 16
    assert len(BLOCKS) % 2 == 0
    assert all(re.match("[A-Z]+ /", block) for block in BLOCKS[::2])
    assert all(re.match(r"\d{3} ", block) for block in BLOCKS[1::2])


def test_the_examples_work_in_their_order(callers, people, staff_members, clock):
    study = people.study()
    phone, staff = callers.phone(people.patient(study, "P-001")), callers.staff()
    names = {
        "$DEVICE_TOKEN": phone.token,
        "$STAFF_TOKEN": staff.token,
        "$ADMINISTRATOR_TOKEN": staff_members.member("administrator").token,
        "$MANAGER_TOKEN": staff_members.member("study_manager", study).token,
        "$PATIENT": str(phone.patient),
        "$STUDY": str(study),
    }

    def filled(text):
        if "$SECRET" in names:  # what the app of the second factor shows
            names["$DIGITS"] = pyotp.TOTP(names["$SECRET"]).at(clock())
        return re.sub(r"\$[A-Z_]+", lambda name: names.get(name[0], name[0]), text)

    anybody = callers.anybody()
    for asked, answered in zip(BLOCKS[::2], BLOCKS[1::2], strict=True):
        line, headers, body = parts_of(filled(asked))
        method, path = line.split(" ")
        if headers.get("Content-Type", "").startswith("multipart"):
            body = body.replace("\n", "\r\n")  # as lines end there, which the page cannot show
        answer = anybody(method, path, headers=headers, data=body)
        status, told_headers, told_body = parts_of(filled(answered))
        assert answer.status_code == int(status.split()[0]), (line, answer.text)
        for name, value in told_headers.items():
            assert value == ANYTHING or answer.headers[name] == value, (line, name)
            assert name in answer.headers
        if told_body:
            assert agree(orjson.loads(told_body), answer.json, names), (line, answer.text)


@pytest.mark.parametrize(
    ("told", "real", "agreed"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "…": "…"}, {"a": 1, "b": 2}, True),
        ({"a": 1, "…": "…"}, {"b": 2}, False),
        ({"a": "…"}, {"a": [1]}, True),
        ([1, "…"], [1, 2, 3], True),
        ([1, "…"], [2, 2, 3], False),
        ([1], [1, 2], False),
        ([1, 2], [1], False),
        (1, 2, False),
    ],
)
def test_the_comparison_can_tell(told, real, agreed):
    assert agree(told, real) is agreed


def test_every_endpoint_is_on_the_page(anybody):
    document = anybody.get("/openapi.json").json
    mentioned = set(re.findall(r"\b(GET|PUT|POST|DELETE|PATCH|OPTIONS) (/[\w/{}.:-]*)", PAGE))
    there_is = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    there_is = {(method, path) for method, path in there_is if method != "PARAMETERS"}
    written_out = {
        (method, re.sub(r"\$?[0-9a-f]{8}-[0-9a-f-]{27}", "{session_id}", path)) for method, path in mentioned
    }
    assert there_is - written_out == set()


def test_every_query_field_is_on_the_page(anybody):
    document = anybody.get("/openapi.json").json
    fields = {
        parameter["name"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
        for parameter in operation.get("parameters", ())
    }
    assert {name for name in fields if not re.search(rf"\b{name}\b", PAGE)} == set()


def test_every_link_leads_somewhere():
    headings = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", PAGE, re.M)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in headings
        else:
            assert (Path(__file__).resolve().parents[2] / "docs" / target).is_file()


def test_the_session_of_the_page_has_a_uuid():
    assert UUID(re.search(r"PUT /api/v1/sessions/(\S+)", PAGE)[1])


def test_every_stream_and_event_that_a_test_reads_is_described():
    section = PAGE.split("\n## Streams, events and answers\n")[1].split("\n## ")[0]
    described = set(re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE))
    named = {name for cell in described for name in re.findall(r"`(\w+)`", cell)}
    inputs = {wanted.name for each in every_assessment().values() for wanted in each.inputs}
    assert inputs | set(KINDS) <= named
    attributes = {
        (wanted.name, column)
        for each in every_assessment().values()
        for wanted in each.inputs
        if wanted.of == "event"
        for column in wanted.columns
    }
    missing = [
        (event, column)
        for event, column in attributes
        if not re.search(rf"^\| `{event}` \|.*`{column.removesuffix('_s')}`", section, re.MULTILINE)
    ]
    assert missing == []


def test_every_format_and_its_media_type_is_described():
    sections = [
        PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0] for title in ("Tables and archives", "Other formats")
    ]
    section = "".join(sections)
    others = [known for known in FORMATS if known.name != "konectom.session/1"]
    assert [known.name for known in others if f"`{known.media_types[0]}`" not in section] == []


def test_into_how_many_blocks_a_table_may_be_cut():
    section = " ".join(PAGE.split("\n## Tables and archives\n")[1].split("\n## ")[0].split())
    told = re.search(r"may be ([\d,]+), and one more for each ([\d,]+) bytes .* is refused \(`(\w+)`\)", section)
    most, each = (int(number.replace(",", "")) for number in told.groups()[:2])
    assert (most, each) == (_source.MOST_BLOCKS, _source.BYTES_A_BLOCK)
    body_bytes = 10 * each + each - 1
    counted = _source.Unpacking(Limits(), body_bytes)
    counted.block(most + 10)
    with pytest.raises(BodyDamaged, match="too many") as refused:
        counted.block()
    assert refused.value.code == told[3]


def test_the_table_of_the_page_is_one(tmp_path, monkeypatch):
    section = PAGE.split("\n## Tables and archives\n")[1].split("\n## ")[0]
    (example,) = re.findall(r"^```\n(import pyarrow.*?)^```$", section, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example)
    (recording,) = formats.read((tmp_path / "session.arrows").read_bytes()).recordings
    assert recording.assessment == "balance"
    assert recording.parts[0].streams["accelerometer"]["y"].tolist() == [9.7, 9.8]
