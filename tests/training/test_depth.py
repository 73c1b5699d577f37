"""Stacks cut from a still: bodies begin and end, their sections shrink, light follows the labels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_sam2.training.clips import ClipMix, ClipSource
from napari_sam2.training.depth import depth_collage
from napari_sam2.training.recordings import Kind, Recording

Scene = tuple[np.ndarray, np.ndarray]
SEEDS = range(8)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Nine bright discs on a dim grainy ground, (120, 140)."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:120, :140]
    labels = np.zeros((120, 140), np.uint16)
    image = rng.normal(20, 2, labels.shape)
    places = [(row, column) for row in (22, 60, 98) for column in (25, 70, 115)]
    for number, (row, column) in enumerate(places, 1):
        disc = (y - row) ** 2 + (x - column) ** 2 < 10**2
        labels[disc] = number
        image[disc] += 100 + 8 * number
    return image.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def stacks(scene: Scene) -> list[Scene]:
    return [depth_collage(np.random.default_rng(seed), *scene, 8) for seed in SEEDS]


def presence(labels: np.ndarray) -> dict[int, np.ndarray]:
    """On which slices each body is."""
    return {int(n): (labels == n).any(axis=(1, 2)) for n in np.unique(labels[labels > 0])}


def test_shapes_and_types(stacks: list[Scene]) -> None:
    for stack, labels in stacks:
        assert stack.shape == labels.shape == (8, 120, 140)
        assert stack.dtype == np.uint8 and labels.dtype == np.uint16


def test_the_same_seed_gives_the_same_stack(scene: Scene, stacks: list[Scene]) -> None:
    again = depth_collage(np.random.default_rng(2), *scene, 8)
    np.testing.assert_array_equal(again[0], stacks[2][0])
    np.testing.assert_array_equal(again[1], stacks[2][1])
    assert (stacks[2][0] != stacks[3][0]).any()


def test_bodies_of_the_still_begin_at_their_places(scene: Scene, stacks: list[Scene]) -> None:
    found = 0
    for _, labels in stacks:
        for number in range(1, 10):
            if (labels[0] == number).any():
                found += 1
                wanted = ndimage.center_of_mass(scene[1] == number)
                shift = np.linalg.norm(np.subtract(ndimage.center_of_mass(labels[0] == number), wanted))
                assert shift < 7
    # Bodies that are cut close to their ends have no label there.
    assert found > 0.6 * 9 * len(stacks)


def test_bodies_begin_and_end_once(stacks: list[Scene]) -> None:
    ended = begun = through = broken = 0
    for _, labels in stacks:
        for seen in presence(labels).values():
            changes = np.diff(seen.astype(int))
            ended += int(seen[0] and not seen[-1])
            begun += int(not seen[0])
            through += int(seen.all())
            broken += int((changes == 1).sum() + int(seen[0]) > 1)
    assert ended > 20 and begun > 20 and through > 3
    # Another body may lie over a small section of one.
    assert broken < 0.05 * (ended + begun + through)


def test_the_next_body_comes_where_another_ended(stacks: list[Scene]) -> None:
    met = 0
    for _, labels in stacks:
        for number, seen in presence(labels).items():
            if seen[0] and not seen[-1]:
                last = labels[np.flatnonzero(seen)[-1]] == number
                met += int((labels[-1][ndimage.binary_dilation(last, iterations=3)] > 0).any())
    assert met > 10


def test_sections_shrink_towards_an_end(stacks: list[Scene]) -> None:
    shrunk = total = 0
    for _, labels in stacks:
        for number, seen in presence(labels).items():
            slices = np.flatnonzero(seen)
            if seen[0] and not seen[-1] and len(slices) > 2:
                areas = (labels == number).sum(axis=(1, 2))[slices]
                total += 1
                shrunk += int(areas[-1] < 0.8 * areas.max())
    assert total > 10 and shrunk > 0.8 * total


def test_light_lies_where_labels_are_and_goes_with_them(stacks: list[Scene]) -> None:
    for stack, labels in stacks:
        for picture, truth in zip(stack, labels, strict=True):
            if (truth > 0).sum() > 200:
                assert picture[truth > 0].mean() > picture[truth == 0].mean() + 5


def test_a_picture_without_objects_is_a_stack_of_ground(scene: Scene) -> None:
    stack, labels = depth_collage(np.random.default_rng(0), scene[0], np.zeros_like(scene[1]), 4)
    assert stack.shape == (4, 120, 140) and not labels.any()


def test_clips_are_deep_where_that_is_asked_for(scene: Scene) -> None:
    still = Recording.build(Kind.STILL, scene[0][None], scene[1][None])

    def gone(deep: float) -> float:
        """Share of later frames on which an object that is prompted on the first is not there."""
        source = ClipSource(
            ".", 64, 6, seed=1, recordings=[still], mix=ClipMix(1, 0, 0, 0, 0), lively=1.0, deep=deep
        )
        return float(np.mean([1 - clip.masks[1:].any(axis=(2, 3)).mean() for clip in draw(source)]))

    def draw(source: ClipSource) -> list:
        return [source.sample() for _ in range(25)]

    assert gone(1.0) > gone(0.0) + 0.15
