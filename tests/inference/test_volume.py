"""A volume along its axes: square pixels, and masks that come back as they went."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from napari_sam2.errors import ImageError, PromptError
from napari_sam2.inference.volume import SLIM, Axis, VolumeFrames, Voxel, prompts_along
from napari_sam2.prompts import Box, Click, MaskPrompt, PromptSet

STEPS = st.floats(0.1, 10, allow_nan=False)


class Watched:
    """A volume that notes what is read of it."""

    def __init__(self, volume: np.ndarray) -> None:
        self.volume, self.shape, self.read = volume, volume.shape, list[Any]()

    def __getitem__(self, place: Any) -> np.ndarray:
        self.read.append(place)
        return self.volume[place]


@pytest.fixture
def volume() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, (5, 8, 7)).astype(np.uint16)


@pytest.mark.parametrize("axis", list(Axis))
def test_frames_are_the_slices_across_an_axis(volume: np.ndarray, axis: Axis) -> None:
    frames = VolumeFrames(volume, axis)
    assert len(frames) == frames.shape[0] == volume.shape[axis.number]
    for index in range(len(frames)):
        plane = volume.take(index, axis.number)
        rows, columns = plane.shape
        assert np.array_equal(frames[index][:rows, :columns], plane)
        assert frames[index].dtype == np.uint16


@given(rows=st.integers(1, 40), columns=st.integers(1, 40), row=STEPS, column=STEPS, seed=st.integers(0, 9))
def test_masks_come_back_pixel_by_pixel(
    rows: int, columns: int, row: float, column: float, seed: int
) -> None:
    frames = VolumeFrames(np.zeros((2, rows, columns)), Axis.Z, (1.0, row, column))
    mask = np.random.default_rng(seed).random((rows, columns)) > 0.5
    assert np.array_equal(frames.to_plane(frames.to_frame(mask)), mask)


@given(rows=st.integers(10, 40), columns=st.integers(10, 40), row=STEPS, column=STEPS)
def test_pixels_are_square_and_frames_nearly(rows: int, columns: int, row: float, column: float) -> None:
    frames = VolumeFrames(np.zeros((2, rows, columns)), Axis.Z, (1.0, row, column))
    height, width = frames._square
    assert abs(height - rows * row / min(row, column)) <= 0.5
    assert abs(width - columns * column / min(row, column)) <= 0.5
    assert max(frames.frame) <= SLIM * min(frames.frame)


def test_a_ball_of_flat_voxels_is_round_in_every_view() -> None:
    z, y, x = np.meshgrid(np.arange(15) * 3.0, np.arange(45), np.arange(45), indexing="ij")
    ball = (((z - 21) ** 2 + (y - 22) ** 2 + (x - 22) ** 2) <= 15**2).astype(np.float32)
    for axis in Axis:
        frames = VolumeFrames(ball, axis, (3.0, 1.0, 1.0))
        middle = frames[len(frames) // 2] > 0.5
        height, width = (np.ptp(np.flatnonzero(middle.any(axis=i))) + 1 for i in (1, 0))
        assert abs(int(height) - int(width)) <= 2


def test_clicks_and_boxes_land_on_the_same_voxels() -> None:
    volume = np.zeros((4, 6, 10), np.float32)
    volume[2, 1, 7] = 1.0
    frames = VolumeFrames(volume, Axis.Y, (4.0, 1.0, 1.0))  # rows are slices, four times as thick
    prompt = prompts_along(Axis.Y, {1: [Voxel(2, 1, 7)]})[1][1]
    assert prompt == PromptSet((Click(2, 7),))
    moved = frames.to_frame_prompt(prompt).clicks[0]
    assert (moved.y, moved.x) == (9.5, 7.0)
    assert frames[1][9:11, 7].min() > 0.6
    box = frames.to_frame_prompt(PromptSet(box=Box(1.5, 6.5, 2.5, 7.5))).box
    assert box == Box(7.5, 6.5, 11.5, 7.5)
    mask = volume[:, 1] > 0
    inside = frames.to_frame_prompt(PromptSet(mask=MaskPrompt(mask))).mask
    assert inside is not None
    assert np.argwhere(inside.mask).min(axis=0).tolist() == [8, 7]
    assert np.argwhere(inside.mask).max(axis=0).tolist() == [11, 7]


@pytest.mark.parametrize("axis", list(Axis))
def test_smoothing_is_a_gaussian_in_space(axis: Axis) -> None:
    volume = np.random.default_rng(1).normal(size=(12, 14, 13)).astype(np.float32)
    spacing = (2.0, 1.0, 1.0)
    expected = ndimage.gaussian_filter(volume, (0.6, 1.2, 1.2), mode="nearest", truncate=6)
    frames = VolumeFrames(volume, axis, spacing, smooth=1.2)
    plain = VolumeFrames(expected, axis, spacing)
    for index in (0, 5, len(frames) - 1):
        assert np.abs(frames[index] - plain[index]).max() < 0.02 < np.ptp(plain[index])


def test_along_z_only_the_slices_that_are_needed_are_read(volume: np.ndarray) -> None:
    watched = Watched(volume)
    frames = VolumeFrames(watched)
    frames[3]
    assert watched.read == [3]
    smooth = VolumeFrames(watched, smooth=0.3)
    smooth[1]
    smooth[2]
    assert watched.read[1:] == [0, 1, 2, 3], "each once"
    cut = frames.part((slice(1, 3), slice(2, 5), slice(0, 4)))
    assert np.array_equal(cut, volume[1:3, 2:5, :4])


def test_padding_is_no_part_of_the_intensity_range() -> None:
    volume = np.random.default_rng(0).integers(1000, 2000, (6, 10, 40)).astype(np.uint16)
    frames = VolumeFrames(volume)
    assert frames.frame == (40, 40)
    assert frames.intensity().channels[0].low >= 1000


def test_frames_can_be_looped_over_and_end(volume: np.ndarray) -> None:
    frames = VolumeFrames(volume, smooth=0.5)
    assert len([*frames]) == 5
    for index in (-1, 5):
        with pytest.raises(IndexError, match="5 slices along z"):
            frames[index]


def test_colour_stays_last() -> None:
    frames = VolumeFrames(np.zeros((3, 6, 5, 3), np.uint8), Axis.X, (2.0, 1.0, 1.0), smooth=0.5)
    assert frames.shape == (5, 6, 6, 3)
    assert frames[0].shape == (6, 6, 3)


def test_clicks_on_one_slice_are_joined() -> None:
    clicks = [Voxel(1, 2, 3), Voxel(1.4, 4, 5, positive=False), Voxel(2, 0, 0)]
    prompts = prompts_along(Axis.Z, {7: clicks})
    assert prompts == {7: {1: PromptSet((Click(2, 3), Click(4, 5, False))), 2: PromptSet((Click(0, 0),))}}


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((4, 5), {}, r"\(Z, Y, X\)"),
        ((2, 4, 5, 6), {}, "one time and one channel"),
        ((0, 4, 5), {}, "got"),
        ((3, 4, 5), {"spacing": (1, 1)}, "three distances"),
        ((3, 4, 5), {"spacing": (1, 0, 1)}, "above 0"),
        ((3, 4, 5), {"smooth": -1}, "from 0"),
    ],
)
def test_what_is_no_volume(shape: tuple[int, ...], options: dict[str, Any], words: str) -> None:
    with pytest.raises(ImageError, match=words):
        VolumeFrames(np.zeros(shape), **options)


def test_what_is_no_place() -> None:
    with pytest.raises(PromptError, match='"z", "y" or "x", got \'t\''):
        VolumeFrames(np.zeros((3, 4, 5)), "t")
    with pytest.raises(PromptError, match="finite"):
        Voxel(0, float("nan"), 1)
    with pytest.raises(PromptError, match="outside the image of 3 x 5"):
        VolumeFrames(np.zeros((3, 4, 5)), "y").to_frame_prompt(PromptSet((Click(3, 0),)))
