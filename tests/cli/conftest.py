"""The command as it is called, in this process and on an installation of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from click.testing import CliRunner, Result

from konectom.cli import cli
from konectom.settings import Settings
from tests.backends import environ_of


@dataclass(frozen=True)
class Konectom:
    """Runs the command; a wrong exit status fails the test and shows what was printed."""

    environ: dict[str, str]

    def __call__(self, *words: object, status: int = 0, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(cli, [str(word) for word in words], env=self.environ, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result

    def json(self, *words: object, **how: Any) -> Any:
        return orjson.loads(self(*words, "--format", "json", **how).stdout)


@pytest.fixture
def konectom(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command on an installation whose database is set up and empty."""
    yield Konectom(environ_of(settings))
    structlog.reset_defaults()


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command in an empty directory, where nothing is set up."""
    monkeypatch.chdir(tmp_path)
    yield Konectom({"KONECTOM_MODE": "development"})
    structlog.reset_defaults()  # a command that looks for an installation sets up its log, also where there is none


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[bytes, str], Path]:
    """Writes a file."""

    def write(body: bytes, name: str = "session.json") -> Path:
        path = tmp_path / name
        path.write_bytes(body)
        return path

    return write
