"""What is promised about the repository itself: pinned, complete, and free of anyone's machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import konectom

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()

PINS = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]  # each: name==version ; marker, hashes, comments


def direct_requirements() -> set[str]:
    """Names of all that pyproject.toml asks for: to run, for the extras, to develop."""
    project, groups = PYPROJECT["project"], PYPROJECT["dependency-groups"]
    lists = [project["dependencies"], *project["optional-dependencies"].values(), *groups.values()]
    texts = [entry for entries in lists for entry in entries if isinstance(entry, str)]
    return {canonicalize_name(Requirement(text).name) for text in texts}


def tracked_texts() -> list[tuple[str, str]]:
    """Every file that is, or is about to be, in the repository and is text."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    contents = [(path, path.read_bytes()) for path in paths if path.is_file()]
    return [(str(path.relative_to(ROOT)), raw.decode()) for path, raw in contents if b"\0" not in raw]


def test_every_line_of_the_lock_is_a_pin_a_hash_or_a_comment():
    known = re.compile(r"#|    #|    --hash=sha256:[0-9a-f]{64}( \\)?$|[a-z0-9][\w.-]*(\[\w+\])?==\S+ (; .+)?\\$")
    assert [line for line in LOCK.splitlines() if not known.match(line)] == []
    assert "://" not in LOCK


def test_every_pin_carries_a_hash():
    assert len(PINS) > 20
    assert [pin for pin in PINS if "--hash=sha256:" not in pin] == []


def test_every_direct_dependency_is_locked():
    locked = {canonicalize_name(re.split(r"==|\[", pin)[0]) for pin in PINS}
    assert direct_requirements() - locked == set()


def test_the_two_places_of_the_version_agree():
    assert konectom.__version__ == PYPROJECT["project"]["version"]


def test_no_file_names_somebodys_directories():
    private = re.compile(r"(?<![\w.:/-])/(?:root|work|Users|home)/\w+")
    found = [(name, match[0]) for name, text in tracked_texts() for match in private.finditer(text)]
    assert found == []
