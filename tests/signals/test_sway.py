from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import f

from konectom.signals import sway
from konectom.signals.filters import low_pass
from tests.shared import SHARED

BALANCE = SHARED / "data" / "balance"
ROUND = np.linspace(0, 2 * np.pi, 2001)


def ellipse(a: float, b: float, turned_deg: float = 0.0) -> np.ndarray:
    c, s = np.cos(np.radians(turned_deg)), np.sin(np.radians(turned_deg))
    return np.column_stack([a * np.cos(ROUND), b * np.sin(ROUND)]) @ np.array([[c, s], [-s, c]])


def test_path_length_of_lines_and_circles() -> None:
    assert sway.path_length(np.array([[0.0, 0], [3, 4], [3, 5]])) == 6
    assert sway.path_length(ellipse(2, 2)) == pytest.approx(2 * np.pi * 2, rel=1e-5)


def test_path_length_of_a_lissajous_figure() -> None:
    # x = sin t, y = sin(2 t) / 2: the length of the figure eight, from tables of elliptic integrals.
    figure = np.column_stack([np.sin(ROUND), np.sin(2 * ROUND) / 2])
    assert sway.path_length(figure) == pytest.approx(6.09722, rel=1e-4)


def test_of_a_circle_the_circle_is_the_circle() -> None:
    assert sway.circle_area(ellipse(3, 3)) == pytest.approx(np.pi * 9)
    assert sway.rms(ellipse(3, 3)) == pytest.approx(3)


def test_circle_area_of_distances_with_known_mean_and_spread() -> None:
    plane = np.column_stack([[1.0, 3.0, -1.0, -3.0], np.zeros(4)])  # distances 1 and 3: mean 2, spread 1
    assert sway.circle_area(plane) == pytest.approx(np.pi * (2 + 1.645) ** 2)


@pytest.mark.parametrize("turned_deg", [0, 30, 90, 137])
def test_ellipse_area_is_that_of_its_ranges_however_it_lies(turned_deg: float) -> None:
    reach = np.cos(0.05 * np.pi)  # 5 % of a cosine lie beyond
    assert sway.ellipse_area(ellipse(5, 2, turned_deg)) == pytest.approx(np.pi * 5 * 2 * reach**2, rel=2e-3)


@pytest.mark.parametrize("n", [3, 4, 10, 1000])
def test_prediction_area_takes_the_quantile_of_f(n: int) -> None:
    plane = np.random.default_rng(n).normal(size=(n, 2))
    factor = 2 * (n**2 - 1) / (n * (n - 2)) * f.ppf(0.95, 2, n - 2)
    area = np.pi * np.sqrt(np.linalg.det(np.cov(plane.T))) * factor
    assert sway.prediction_area(plane) == pytest.approx(area, rel=1e-9)


def test_prediction_area_holds_95_percent() -> None:
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(200_000, 2)) * [3, 1]
    assert sway.prediction_area(plane) == pytest.approx(np.pi * -2 * np.log(0.05) * 3, rel=0.01)
    assert np.isnan(sway.prediction_area(plane[:2]))


def test_mean_frequency_of_a_circle_is_its_own() -> None:
    t_s = np.arange(0, 10.001, 0.01)
    plane = 4 * np.column_stack([np.cos(2 * np.pi * 0.7 * t_s), np.sin(2 * np.pi * 0.7 * t_s)])
    assert sway.mean_frequency_hz(plane, 100.0) == pytest.approx(0.7, rel=1e-3)
    assert np.isnan(sway.mean_frequency_hz(np.zeros((10, 2)), 100.0))


def test_jerk_of_a_steady_change() -> None:
    t_s = np.arange(0, 5.01, 0.02)
    assert sway.jerk(np.column_stack([3 * t_s, 4 * t_s]), 50.0) == pytest.approx(0.5 * 25 * 5)


def quiet(n: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(2).normal(0, 2e-4, (n, 2)), axis=0)


def test_quiet_stance_is_quiet_and_a_stumble_is_not() -> None:
    plane = quiet(1500)
    assert not sway.restless(plane, 50.0).any()
    plane[600:900, 0] += 0.1 * np.sin(2 * np.pi * 2 * np.arange(300) / 50)
    marked = np.flatnonzero(sway.restless(plane, 50.0))
    assert (marked.min(), marked.max()) == pytest.approx((600, 900), abs=10)


def test_what_is_brief_is_not_restless() -> None:
    plane = quiet(1500)
    plane[600:630, 0] += 0.1 * np.sin(2 * np.pi * 2 * np.arange(30) / 50)
    assert not sway.restless(plane, 50.0).any()


def test_an_even_sway_is_quiet_however_strong() -> None:
    t_s = np.arange(0, 30, 0.02)
    circle = 0.01 * np.column_stack([np.cos(2 * np.pi * t_s), np.sin(2 * np.pi * t_s)])
    circle *= 1 + 0.3 * np.sin(2 * np.pi * 0.05 * t_s)[:, None]
    assert not sway.restless(circle, 50.0).any()


def test_a_still_sensor_is_quiet() -> None:
    assert not sway.restless(np.zeros((200, 2)), 50.0).any()


@pytest.mark.skipif(not BALANCE.is_dir(), reason="the shared recordings are not beside this checkout (../shared/data)")
def test_areas_of_a_force_plate_are_those_of_its_authors() -> None:
    """Santos & Duarte 2016 (PeerJ 4:e2648): 60 s of quiet stance at 100 Hz, centre of pressure in cm."""
    pandas = pytest.importorskip("pandas")
    samples = pandas.read_parquet(BALANCE / "bds_cop.parquet", columns=["rec", "cop_x_cm", "cop_y_cm"])
    told = pandas.read_csv(BALANCE / "bds_cop_ref.csv").set_index("Trial")["COParea"]
    ratios = []
    for trial, rows in samples.groupby("rec"):
        plane = low_pass(rows[["cop_x_cm", "cop_y_cm"]].to_numpy(dtype=float), 10.0, 4, 100.0)
        ratios.append(sway.prediction_area(plane) / told[trial])
    assert len(ratios) >= 40
    assert np.median(ratios) == pytest.approx(1, abs=0.0002)
    assert np.quantile(ratios, [0.1, 0.9]) == pytest.approx([1, 1], abs=0.001)
