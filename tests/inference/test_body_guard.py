"""Where bodies end: tables of areas and scores on the way out from a prompt."""

from __future__ import annotations

from typing import Any

import pytest

from napari_sam2.errors import Sam2Error
from napari_sam2.inference.body_guard import BodyGuard, SliceShape

OFF = BodyGuard.off()


def walk(guard: BodyGuard, areas: list[float], scores: list[float] | None = None, step: float = 1.0) -> int:
    """Return how many slices are kept."""
    way = [SliceShape(a, s) for a, s in zip(areas, scores or [0.8] * len(areas), strict=True)]
    for done in range(1, len(way) + 1):
        kept = guard.end(way[:done], step)
        if kept is not None:
            return kept
    return len(way)


@pytest.mark.parametrize(
    ("areas", "kept"),
    [
        pytest.param([100, 90, 60, 30, 10], 5, id="a cap"),
        pytest.param([100, 70, 40, 43, 90, 100], 3, id="leaks into the next body, after a slight growth"),
        pytest.param([100, 80, 76, 90, 100], 5, id="not narrow enough for a waist"),
        pytest.param([100, 95, 99, 104, 96, 90], 6, id="wobbles without a waist"),
        pytest.param([20, 50, 100, 110], 4, id="grows from a cap to the middle"),
        pytest.param(
            [50, 80, 100, 50, 20, 30, 90], 5, id="over the middle to the other cap, then the next body"
        ),
    ],
)
def test_waists(areas: list[float], kept: int) -> None:
    assert walk(BodyGuard(faint=0), areas) == kept
    assert walk(OFF, areas) == len(areas)


def test_faint_is_measured_against_what_was_tracked() -> None:
    guard = BodyGuard(waist=0, faint=0.5)
    assert walk(guard, [100] * 5, [0.99, 0.6, 0.5, 0.31, 0.29]) == 4
    assert walk(guard, [100] * 3, [0.99, 0.3, 0.2]) == 3, "the prompted slice is no measure"
    assert walk(OFF, [100] * 3, [0.9, 0.9, 0.01]) == 3


def test_a_body_ends_where_nothing_is_found() -> None:
    assert walk(OFF, [100, 50, 0, 80]) == 2
    assert walk(OFF, [0, 0, 0]) == 1


def test_longest_counts_diameters_in_space() -> None:
    guard = BodyGuard(waist=0, faint=0, longest=0.5)
    area = 315.0  # a disk of radius 10
    assert walk(guard, [area] * 30) == 11
    assert walk(guard, [area] * 30, step=2.5) == 5


@pytest.mark.parametrize("wrong", [{"waist": 0.9}, {"waist": 1.0}, {"faint": 1.1}, {"longest": -1.0}])
def test_senseless_guards(wrong: dict[str, Any]) -> None:
    with pytest.raises(Sam2Error, match="got"):
        BodyGuard(**wrong)
