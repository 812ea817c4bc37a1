"""``docs/commands.md``, written from the commands themselves::

konectom reference > docs/commands.md
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

import click

HEAD = """# Commands

This page is written from the commands themselves, by `konectom reference > docs/commands.md`.

Every command ends with exit status 0, 1 where something was refused or could not be used (told as one line on standard
error), 2 where the command was called wrongly, 130 where it was interrupted. Those that work on an installation find it
by [settings](settings.md): `KONECTOM_DATA_DIR` at the least. `extract`, `catalogue`, `simulate` and `demo` need none.

## First steps

To try it out, without data of real people: a database, a study, a patient and a code for the patient's phone, a token
for a program, an administrator, and a server:

```
export KONECTOM_MODE=development KONECTOM_DATA_DIR=./konectom-data
konectom db upgrade
konectom study create pilot --name "Pilot study" --consent-elsewhere
konectom patient create P-001 --study pilot
konectom device enrol --patient P-001 --study pilot
konectom token create clinic --permission '*' --study pilot
konectom user create ada --administrator
konectom serve
```

Three things are shown once and never again: the code with which the app on the phone gets a token of its own (`ke_…`,
also as a QR code), the program's token (`ks_…`), and the code with which the administrator sets a password at
`/invitation` (`ki_…`). [http.md](http.md) says what they open. An administrator sees no patient's data: other roles are
given by `konectom user grant`, and [permissions.md](permissions.md) says who may do what.

`--consent-elsewhere` says that consent is kept on paper. Without it nothing is collected that a patient has not agreed
to, in the app or as it is entered here ([consent.md](consent.md)):

```
konectom consent form create 2026-1 --study pilot --title "Pilot study" --text consent.txt --data-type touch
konectom consent record P-001 --study pilot --state given --form 2026-1
```

Without a database `konectom serve` does not start, and says so; nor, outside of `KONECTOM_MODE=development`, with
anything that is not fit for patients' data: [http.md](http.md#for-operators) says what it needs then.
"""


@click.command("reference", hidden=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Print the page of all commands, as markdown."""
    click.echo(page(ctx.find_root().command), nl=False)


def every_command(each: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield a command and all below it, each with the words by which it is called."""
    yield words, each
    if isinstance(each, click.Group):
        context = click.Context(each, info_name=words[-1])
        for name in each.list_commands(context):
            inner = each.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from every_command(inner, (*words, name))


def page(root: click.Command) -> str:
    """Return the page on everything below ``root``."""
    sections = (section(words, each) for words, each in every_command(root, ("konectom",)) if len(words) > 1)
    return HEAD + "".join(sections)


def section(words: tuple[str, ...], each: click.Command) -> str:
    """Return what is told of one command."""
    context = click.Context(each, info_name=" ".join(words))
    lines = [f"\n{'#' * len(words)} {' '.join(words)}\n", cleandoc(each.help or ""), ""]
    if not isinstance(each, click.Group):
        lines += ["```", " ".join((*words, *each.collect_usage_pieces(context))), "```", ""]
    options = [option.get_help_record(context) for option in each.params if isinstance(option, click.Option)]
    told = [record for record in options if record is not None]
    if told:
        lines += ["| option | |", "|---|---|"]
        lines += [f"| `{_cell(names)}` | {_cell(meaning)} |" for names, meaning in told]
        lines.append("")
    if each.epilog:
        what, _, example = each.epilog.partition(": ")
        lines += [f"{what}:", "", f"    {example}", ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
