"""Bright parts where a body was: two of them are daughters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_sam2.errors import Sam2Error
from napari_sam2.imaging.phantoms import nuclei_volume_movie
from napari_sam2.inference.daughters import DaughterPolicy, find_daughters, grown

Z, Y, X = np.meshgrid(np.arange(9) * 2.0, np.arange(40), np.arange(40), indexing="ij")
SPACING = (2.0, 1.0, 1.0)


def ball(z: float, y: float, x: float, radius: float) -> np.ndarray:
    return (Z - z) ** 2 + (Y - y) ** 2 + (X - x) ** 2 <= radius**2


MOTHER = ball(8, 20, 20, 8)
NOBODY = np.zeros_like(MOTHER)


def noisy(bright: np.ndarray) -> np.ndarray:
    return 100 + 400 * bright + np.random.default_rng(0).normal(0, 30, bright.shape)


def test_two_balls_in_place_of_one() -> None:
    found = find_daughters(noisy(ball(8, 14, 20, 4.2) | ball(8, 26, 20, 5)), MOTHER, NOBODY, SPACING)
    assert found is not None
    larger, smaller = found
    assert (larger.z, larger.y, larger.x) == pytest.approx((4, 26, 20), abs=1)
    assert (smaller.z, smaller.y, smaller.x) == pytest.approx((4, 14, 20), abs=1)


@pytest.mark.parametrize(
    ("light", "others"),
    [
        pytest.param(MOTHER, NOBODY, id="still one"),
        pytest.param(ball(8, 17, 20, 6) | ball(8, 24, 20, 6), NOBODY, id="not apart"),
        pytest.param(MOTHER | ball(8, 36, 20, 5), NOBODY, id="a neighbour that was not there before"),
        pytest.param(
            ball(8, 14, 20, 4.2) | ball(8, 26, 20, 5), ball(8, 26, 20, 6), id="one of them is somebody else"
        ),
        pytest.param(ball(8, 14, 20, 4.5) | ball(8, 25, 20, 1.2), NOBODY, id="a crumb"),
        pytest.param(NOBODY, NOBODY, id="nothing"),
    ],
)
def test_what_is_no_division(light: np.ndarray, others: np.ndarray) -> None:
    assert find_daughters(noisy(light), MOTHER, others, SPACING) is None


def test_how_deep_the_saddle_is_decides() -> None:
    light = noisy(np.maximum(ball(8, 14, 20, 5) | ball(8, 26, 20, 5), 0.6 * ball(8, 20, 20, 6)))
    assert find_daughters(light, MOTHER, NOBODY, SPACING, DaughterPolicy(saddle=0.9)) is not None
    assert find_daughters(light, MOTHER, NOBODY, SPACING, DaughterPolicy(saddle=0.4)) is None


def test_made_nuclei_divide_where_they_do() -> None:
    """Most true divisions are seen at once, and no nucleus is cut that stays whole."""
    seen, there, false = 0, 0, 0
    for seed in range(4):
        movie = nuclei_volume_movie(3, 8, 80, 80, 8, 2, seed)
        for t in range(1, 3):
            old, new = movie.labels[t - 1], movie.labels[t]
            for number in np.unique(old)[1:]:
                kids = [daughter for daughter, mother in movie.parents.items() if mother == number]
                divides = bool(kids) and not (new == number).any()
                others = (new > 0) & ~np.isin(new, [number, *kids]) | (old > 0)
                mother = old == number
                pair = find_daughters(movie.images[t], mother, others & ~mother, (movie.z_spacing, 1, 1))
                there += divides
                seen += divides and pair is not None
                false += not divides and pair is not None
    assert there >= 6
    assert seen >= 2 / 3 * there
    assert false == 0


def test_growing_respects_the_spacing() -> None:
    point = np.zeros((9, 9, 9), bool)
    point[4, 4, 4] = True
    near = grown(point, (3.0, 1.0, 1.0), 3.5)  # a ball of 3 cubic units has a radius of 0.9
    assert near[5, 4, 4] and near[4, 7, 4]
    assert not near[6, 4, 4] and not near[5, 6, 4]


def test_nothing_divides_that_was_not_there() -> None:
    assert find_daughters(noisy(MOTHER), NOBODY, NOBODY, SPACING) is None
    assert find_daughters(noisy(MOTHER), MOTHER, np.ones_like(MOTHER), SPACING) is None


@pytest.mark.parametrize("wrong", [{"saddle": 0.0}, {"part": 1.5}, {"smooth": -1.0}])
def test_senseless_policies(wrong: dict[str, Any]) -> None:
    with pytest.raises(Sam2Error, match="got"):
        DaughterPolicy(**wrong)
