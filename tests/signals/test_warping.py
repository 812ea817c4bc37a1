"""Dynamic time warping: against the algorithm written out cell by cell, a published example, and another library."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from konectom.recording import FloatArray
from konectom.signals.paths import distinct, evenly, steps
from konectom.signals.warping import Matches, warp
from tests.shared import SHARED, needs_shared

Path = list[tuple[int, int]]
DRAWING = SHARED / "data" / "drawing"


def slowly(x: FloatArray, y: FloatArray) -> Path:
    """Salvador & Chan's algorithm with radius 1, one cell after the other."""
    cells = {(i, j) for i in range(len(x)) for j in range(len(y))}
    if min(len(x), len(y)) > 2:
        halves = [(each[: len(each) // 2 * 2 : 2] + each[1::2]) / 2 for each in (x, y)]
        around = {(i + a, j + b) for i, j in slowly(*halves) for a in (-1, 0, 1) for b in (-1, 0, 1)}
        cells &= {(2 * i + a, 2 * j + b) for i, j in around for a in (0, 1) for b in (0, 1)}
    best: dict[tuple[int, int], tuple[float, tuple[int, int]]] = {(-1, -1): (0.0, (-1, -1))}
    for i, j in sorted(cells):
        ways = [(best[came][0], came) for came in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if came in best]
        if ways:
            cost, came = min(ways, key=lambda way: way[0])
            best[i, j] = cost + float(np.hypot(*(x[i] - y[j]))), came
    path = [(len(x) - 1, len(y) - 1)]
    while path[-1] != (0, 0):
        path.append(best[path[-1]][1])
    return path[::-1]


def as_path(matches: Matches) -> Path:
    return list(zip(matches.first.tolist(), matches.second.tolist(), strict=True))


def curve(count: int, rng: np.random.Generator, noise: float = 0.0) -> FloatArray:
    along = np.linspace(0.0, 1.0, count)
    smooth = np.column_stack([100 * np.cos(7 * along), 100 * np.sin(5 * along)])
    return smooth + rng.normal(0.0, noise, (count, 2))


def test_every_step_is_that_of_the_algorithm_written_out_cell_by_cell() -> None:
    rng = np.random.default_rng(0)
    pairs = [
        (curve(int(n), rng, 4.0), curve(int(m), rng))
        for n, m in (*rng.integers(1, 12, (20, 2)), *rng.integers(12, 160, (20, 2)))
    ]
    for pair, matches in zip(pairs, warp(pairs), strict=True):
        assert as_path(matches) == slowly(*pair)


def test_a_finger_that_stands_still_is_matched_as_the_algorithm_does() -> None:
    rng = np.random.default_rng(1)
    pairs = []
    for _ in range(10):
        drawn = np.round(np.repeat(curve(30, rng, 2.0), rng.integers(1, 5, 30), axis=0))
        pairs.append((drawn, np.round(curve(120, rng))))
    for pair, matches in zip(pairs, warp(pairs), strict=True):
        assert as_path(matches) == slowly(*pair)


def test_the_example_in_the_documentation_of_fastdtw() -> None:
    x, y = (np.column_stack([values, np.zeros(len(values))]) for values in ([1.0, 2, 3, 4, 5], [2.0, 3, 4]))
    (matches,) = warp([(x, y)])
    assert matches.cost == 2.0
    assert as_path(matches) == [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2)]


def test_a_curve_warped_onto_itself_is_matched_point_by_point() -> None:
    drawn = curve(200, np.random.default_rng(2))
    (matches,) = warp([(drawn, drawn)])
    assert matches.cost == 0.0
    np.testing.assert_array_equal(matches.first, np.arange(200))
    np.testing.assert_array_equal(matches.second, np.arange(200))


def test_pairs_do_not_depend_on_those_they_are_warped_with() -> None:
    rng = np.random.default_rng(3)
    pairs = [(curve(int(n), rng, 3.0), curve(300, rng)) for n in (5, 80, 400)]
    together = [as_path(matches) for matches in warp(pairs)]
    assert together == [as_path(warp([pair])[0]) for pair in pairs]
    assert warp([]) == []


def test_the_nearest_match_of_each_point() -> None:
    x = np.array([[0.0, 0.0], [3.0, 0.0]])
    (matches,) = warp([(x, np.array([[0.0, 1.0], [2.0, 0.0], [3.0, 0.5]]))])
    distance, second = matches.nearest()
    np.testing.assert_allclose(distance, [1.0, 0.5])
    np.testing.assert_array_equal(second, [0, 1])


@needs_shared
def test_spirals_are_as_far_from_their_template_as_dtaidistance_and_similaritymeasures_find() -> None:
    """Both peers warp exactly, and dtaidistance adds squares: ours cannot be below, and comes close."""
    angle = np.linspace(0.0, 8 * np.pi, 10_000)
    template = evenly(
        1.075 * angle[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]) + 50.0, 300, smooth=False
    )
    compared = 0
    with (DRAWING / "peer_curve_distances.csv").open(newline="") as rows:
        for row in csv.DictReader(rows):
            file = DRAWING / "curious" / row["file"]
            if not file.exists():
                continue
            with file.open(newline="") as samples:
                drawn = np.array([[float(each["x"]), float(each["y"])] for each in csv.DictReader(samples)])
            assert steps(drawn).sum() == pytest.approx(float(row["path_length"]), rel=1e-9)
            moving = drawn[np.append(True, steps(drawn) > 0)]
            (matches,) = warp([(evenly(moving, 300, smooth=False), template)])
            assert np.sqrt((matches.distance**2).sum()) == pytest.approx(float(row["dtw_euclid_300pt"]), rel=1e-3)
            assert matches.distance.max() == pytest.approx(float(row["frechet_300pt"]), rel=2e-3)
            compared += 1
    assert compared >= 5


def test_distinct_keeps_the_first_or_the_last_at_a_place() -> None:
    points = np.array([[1.0, 1.0], [2.0, 1.0], [1.0, 1.0], [2.0, 2.0]])
    np.testing.assert_array_equal(distinct(points), [True, True, False, True])
    np.testing.assert_array_equal(distinct(points, last=True), [False, True, True, True])
