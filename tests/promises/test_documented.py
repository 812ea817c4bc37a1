"""Every command and every option explains itself, and docs/commands.md is what the commands say."""

from pathlib import Path

import click
import pytest

from konectom.cli import COMMANDS, cli
from konectom.commands.reference import every_command, page

ROOT = Path(__file__).resolve().parents[2]
EVERY = list(every_command(cli, ("konectom",)))
NAMES = [" ".join(words) for words, _ in EVERY]


@pytest.mark.parametrize(("words", "command"), EVERY, ids=NAMES)
def test_a_command_says_what_it_does(words, command):
    first_line = (command.help or "").strip().split("\n\n")[0]
    assert len(first_line) > 15
    assert first_line.endswith((".", "!"))
    if len(words) > 1:
        assert words[-1] == command.name


@pytest.mark.parametrize(("words", "command"), EVERY, ids=NAMES)
def test_an_option_says_what_it_is_for(words, command):
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


def test_the_page_is_what_the_commands_say():
    written = (ROOT / "docs" / "commands.md").read_text()
    assert written == page(cli), "run: konectom reference > docs/commands.md"


def test_every_command_has_its_section():
    written = (ROOT / "docs" / "commands.md").read_text()
    assert [name for name in NAMES[1:] if f"# {name}\n" not in written] == []


def test_every_command_has_its_file_and_every_file_its_command():
    files = {path.stem.rstrip("_").replace("_", "-") for path in (ROOT / "konectom" / "commands").glob("[a-z]*.py")}
    assert files == set(COMMANDS)
