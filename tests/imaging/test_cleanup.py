"""Cleaning masks: each tool does what it says on shapes drawn by hand, and nothing else."""

from __future__ import annotations

from math import inf, pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_sam2.errors import PromptError
from napari_sam2.imaging.cleanup import (
    CleanUp,
    clean,
    fill_holes,
    keep_largest,
    remove_border,
    remove_small,
    smooth,
    split,
)

EIGHT = np.ones((3, 3), bool)
MASKS = arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)))


def picture(*rows: str) -> np.ndarray:
    return np.array([[c == "#" for c in row] for row in rows])


def disc(shape: tuple[int, int], y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((rows - y) ** 2 + (columns - x) ** 2 <= radius**2)


def test_holes_are_filled_by_size_and_bays_are_none() -> None:
    mask = picture("######..", "#.##.#..", "####.#..", "###.##..", "#.######", "..#....#", "..######")
    filled = fill_holes(mask)
    #      the single hole, the two, the one that only touches at a corner, and the long one
    assert int((filled & ~mask).sum()) == 1 + 2 + 1 + 4
    assert np.array_equal(fill_holes(mask, 1) & ~mask, picture(
        "........", ".#......", "........", "...#....", "........", "........", "........"
    ))  # fmt: skip
    assert np.array_equal(fill_holes(mask, 0), mask)
    assert not fill_holes(mask)[4, 1], "a bay at the edge of the object is no hole"


def test_a_notch_at_the_edge_of_the_image_is_no_hole() -> None:
    mask = np.ones((5, 6), bool)
    mask[0, 2] = mask[3, 3] = False
    for found in (fill_holes(mask), clean(mask, CleanUp.FILL_HOLES)):
        assert not found[0, 2]
        assert found[3, 3]


def test_the_largest_piece_and_small_ones() -> None:
    mask = picture("##...#", "##..#.", "...#..", "......", "#....#")
    assert np.array_equal(keep_largest(mask), picture("##....", "##....", *["......"] * 3))
    assert np.array_equal(remove_small(mask, 4), picture("##....", "##....", *["......"] * 3))
    assert np.array_equal(remove_small(mask, 3)[:3], mask[:3]), "corners hang together"
    assert not remove_small(mask, 5).any()
    assert np.array_equal(remove_small(mask, 1), mask)


def test_smoothing_takes_a_spur_and_keeps_a_disc() -> None:
    body = disc((60, 70), 30, 30, 12)
    spur = body.copy()
    spur[30, 42:55] = True
    found = smooth(spur, 2)
    assert not found[30, 46:].any()
    assert abs(int(found.sum()) - pi * 12**2) < 20
    dot = np.zeros((9, 9), bool)
    dot[4, 4] = True
    assert np.array_equal(smooth(dot, 3), dot), "what would vanish stays"
    half = np.zeros((20, 20), bool)
    half[:, :10] = True
    assert np.array_equal(smooth(half, 3), half), "straight edges stay, at the edge of the image, too"


@pytest.mark.parametrize(("margin", "stays"), [(0, True), (1, True), (2, False)])
def test_border_objects_go_whole(margin: int, stays: bool) -> None:
    mask = np.zeros((9, 9), bool)
    mask[2:5, 3:5] = True
    assert remove_border(mask, margin).any() == stays
    mask[4, 4:] = True
    assert not remove_border(mask).any()


@given(mask=MASKS, tool=st.sampled_from(CleanUp), size=st.one_of(st.none(), st.integers(0, 5)))
def test_the_window_changes_nothing(mask: np.ndarray, tool: CleanUp, size: int | None) -> None:
    given_mask = mask.copy()
    found = clean(mask, tool, size)
    amount = tool.usual if size is None else size
    whole = {
        CleanUp.FILL_HOLES: lambda: fill_holes(mask, amount),
        CleanUp.KEEP_LARGEST: lambda: keep_largest(mask),
        CleanUp.SMOOTH: lambda: smooth(mask, amount),
        CleanUp.REMOVE_SMALL: lambda: remove_small(mask, amount),
        CleanUp.REMOVE_BORDER: lambda: remove_border(mask, int(amount)),
    }[tool]()
    assert np.array_equal(found, whole)
    assert np.array_equal(mask, given_mask)
    assert found is not mask
    if tool is not CleanUp.SMOOTH:
        assert np.array_equal(clean(found, tool, size), found), "once is enough"
        assert (found <= mask).all() or tool is CleanUp.FILL_HOLES


@pytest.mark.parametrize("size", [-1, float("nan"), inf])
def test_sizes_that_make_no_sense(size: float) -> None:
    with pytest.raises(PromptError, match="size of 0 or more"):
        clean(np.ones((3, 3), bool), CleanUp.REMOVE_SMALL, size)


def two_cells() -> np.ndarray:
    """Two touching discs of 60 x 60 pixels, and a third that has nothing to do with it."""
    return disc((60, 60), 20, 16, 9) | disc((60, 60), 20, 33, 9) | disc((60, 60), 50, 50, 4)


@pytest.mark.parametrize(
    "stroke",
    [
        [(5, 25), (35, 25)],  # through all of it
        [(18, 25), (22, 25)],  # a short one within: drawn out
        [(5, 24), (14, 25), (35, 24)],
        [(-20, 25), (70, 25)],  # beyond the image
    ],
)
def test_a_stroke_cuts_two_cells_apart(stroke: list[tuple[float, float]]) -> None:
    mask = two_cells()
    parts = split(mask, stroke)
    assert len(parts) == 2
    assert np.array_equal(parts[0] | parts[1], mask)
    assert not (parts[0] & parts[1]).any()
    kept, new = parts
    assert kept[50, 50], "what the stroke does not touch stays with the larger part"
    assert {bool(kept[20, 12]), bool(new[20, 12])} == {True, False}
    assert kept[20, 12] != kept[20, 38]
    assert abs(int(new.sum()) - pi * 81) < 40
    assert ndimage.label(new, EIGHT)[1] == 1


def test_a_bent_stroke_cuts_a_corner_out() -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:35, 5:35] = True
    parts = split(mask, [(20, 0), (20, 20), (0, 20)])
    assert [bool(part[8, 8]) for part in parts] == [False, True]
    assert int(parts[1].sum()) == pytest.approx(15 * 15, abs=40)


def test_a_zigzag_makes_three_parts() -> None:
    mask = np.zeros((30, 60), bool)
    mask[10:20, 5:55] = True
    parts = split(mask, [(0, 20), (29, 20), (29, 42), (0, 42)])
    assert len(parts) == 3
    assert [int(part.sum()) for part in parts] == sorted((int(part.sum()) for part in parts), reverse=True)
    assert np.array_equal(np.logical_or.reduce(parts), mask)


def test_a_stroke_along_a_ragged_edge_leaves_no_crumbs() -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:35, 5:35] = True
    mask[4, 5:35:2] = True
    with pytest.raises(PromptError, match="draw it across"):
        split(mask, [(5, 0), (5, 39)])


@pytest.mark.parametrize(
    ("stroke", "words"),
    [
        ([(1, 1)], "two or more different points"),
        ([(1, 1), (1, 1)], "two or more different points"),
        ([(1, float("nan")), (3, 1)], "two or more different points"),
        ([(0, 50), (5, 55)], "does not cut"),
        ([(0, 0), (0, 1e9)], "far outside"),
    ],
)
def test_strokes_that_cut_nothing(stroke: list[tuple[float, float]], words: str) -> None:
    with pytest.raises(PromptError, match=words):
        split(two_cells(), stroke)


@given(
    mask=MASKS,
    stroke=st.lists(st.tuples(st.integers(-3, 16), st.integers(-3, 16)), min_size=2, max_size=4),
)
def test_a_split_loses_nothing(mask: np.ndarray, stroke: list[tuple[float, float]]) -> None:
    try:
        parts = split(mask, stroke)
    except PromptError:
        return
    assert len(parts) > 1
    assert all(part.any() for part in parts)
    assert np.array_equal(np.sum(parts, axis=0), mask.astype(int)), "every pixel once"
