"""The page of docs/norms.md, written from the declarations."""

from __future__ import annotations

from collections.abc import Iterable

from konectom.scoring.norms import LEFT_OUT, OUTSIDE, every_norm
from konectom.scoring.norms.base import Norm, ages_in_words

HEAD = """# Norms

What is usual for people of the same age, sex and size. The declarations are in `konectom/scoring/norms/`, one file for
each quantity; this page is written from them.

A comparison gives what the norm gives, no more:

* `predicted`: what is expected of such a person; `share_of_predicted`: value over predicted, 1 being 100 %.
* `z`: standard deviations above what is expected, only where the source gives a spread or a lower limit of normal;
  `percentile`: the share of people below the value, from 0 to 100. Both grow with the value, whether more is better or
  not. Where the source gives mean and standard deviation only, a normal distribution is assumed, and the comparison
  says so.
* `limit`, with `passed`: a limit that the source gives, and whether the value lies beyond it.
* `outside`: why nothing is given. A norm is never stretched beyond its population.
* `notes`: what to keep in mind, in sentences.

The age is the year of the value less the year of birth: a record holds no birthday, so that the person may be a year
younger. Where that would change the age group, or decides whether the norm applies, a note says so. Equations are
evaluated at that age. Nearly all norms are of one population each; none of them knows the patient's.
"""


def page() -> str:
    """Return the page."""
    norms = every_norm().values()
    parts = [HEAD, "## Which norms a score has\n", _by_key(tuple(norms)), "## Each norm\n"]
    parts += [_section(norm) for norm in norms]
    parts += ["## Reasons for giving nothing\n", _table(("code", "meaning"), OUTSIDE.items())]
    parts += ["## What was left out\n", _table(("quantity", "why"), LEFT_OUT)]
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _by_key(norms: tuple[Norm, ...]) -> str:
    keys = dict.fromkeys(key for norm in norms for key in norm.keys)
    return _table(
        ("score", "norms"),
        [(f"`{key}`", ", ".join(f"`{norm.id}`" for norm in norms if key in norm.keys)) for key in keys],
    )


def _section(norm: Norm) -> str:
    facts = [
        ("Source", norm.source),
        ("Population", norm.population),
        ("Sample", norm.sample),
        ("Ages", ages_in_words(norm.ages)),
        ("Needs", ", ".join(norm.form.needs)),
        ("Gives", ", ".join(norm.form.gives)),
        ("Unit", norm.unit),
        ("Confirmed", norm.confirmed),
    ]
    notes = [*norm.notes, *(f"`{key}`: {caveat}" for key, caveat in norm.caveats.items())]
    lines = [f"### {norm.id}\n", norm.title.rstrip(".") + ".\n", *(f"* {name}: {text}" for name, text in facts)]
    lines += [f"* Note: {note}" for note in notes]
    return "\n".join([*lines, "", "```", *norm.form.formula, "```", ""])
