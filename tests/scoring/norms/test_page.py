"""docs/norms.md is what the declarations say."""

from pathlib import Path

from konectom.scoring.norms import LEFT_OUT, every_norm
from konectom.scoring.norms.page import page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "norms.md"
WRITE = "from konectom.scoring.norms.page import page; print(page(), end='')"


def test_the_page_is_what_the_declarations_say():
    assert PAGE.read_text() == page(), f'run: python -c "{WRITE}" > docs/norms.md'


def test_each_norm_and_each_gap_is_on_the_page():
    written = PAGE.read_text()
    assert [name for name in every_norm() if f"### {name}\n" not in written] == []
    assert [what for what, _ in LEFT_OUT if f"| {what} |" not in written] == []
