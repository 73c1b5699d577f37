"""Flaws of recordings: each does what it says, the truth follows, and the given phantom stays as it is."""

from collections.abc import Callable

import numpy as np
import pytest

from napari_sam2.errors import ImageError
from napari_sam2.imaging import degrade
from napari_sam2.imaging.optics import GAIN, OFFSET
from napari_sam2.imaging.phantoms import Phantom, crowded_nuclei, nuclei_volume, nuclei_volume_movie

Flaw = Callable[[Phantom, np.random.Generator], Phantom]


@pytest.fixture(scope="module")
def movie() -> Phantom:
    return crowded_nuclei(6, 96, 80, 6, 0, 0, seed=1, radius=8)


def _flat(light: float) -> Phantom:
    """Six frames of even light: their noise can be foretold."""
    rng = np.random.default_rng(0)
    photons = light + np.sqrt(light) * rng.standard_normal((6, 128, 128))
    images = np.rint(OFFSET + GAIN * photons).astype(np.uint16)
    return Phantom(images, np.ones((6, 128, 128), np.uint16), {})


FLAWS: dict[str, Flaw] = {
    "light": degrade.uneven_light,
    "bleach": degrade.bleach,
    "drift": degrade.drift,
    "missing": degrade.missing_frames,
    "defocus": degrade.defocus,
    "bits": lambda phantom, rng: degrade.to_8_bit(phantom),
}


@pytest.mark.parametrize("name", FLAWS)
def test_seeded_and_without_a_trace_on_the_given(name, movie):
    images, labels = movie.images.copy(), movie.labels.copy()
    one, again = (FLAWS[name](movie, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.images, again.images)
    assert np.array_equal(one.labels, again.labels)
    assert one.images.shape == one.labels.shape
    assert not np.array_equal(one.images, images)
    assert np.array_equal(movie.images, images)
    assert np.array_equal(movie.labels, labels)


@pytest.mark.parametrize("name", FLAWS)
def test_stacks_through_time_as_well(name):
    movie = nuclei_volume_movie(3, 4, 48, 40, 3, 0, radius=6)
    spoilt = FLAWS[name](movie, np.random.default_rng(0))
    assert spoilt.images.shape == spoilt.labels.shape
    assert spoilt.axes == "TZYX"
    assert spoilt.images.shape[:2] == (3, 4)


def test_bleaching_loses_light_but_not_the_shot_noise():
    spoilt = degrade.bleach(_flat(400), np.random.default_rng(1), 0.75)
    photons = (spoilt.images - OFFSET) / GAIN
    assert photons[0].mean() == pytest.approx(400, rel=0.02)
    assert photons[-1].mean() == pytest.approx(100, rel=0.02)
    assert photons[-1].std() == pytest.approx(10, rel=0.05)
    assert (np.diff(photons.mean((1, 2))) < 0).all()


def test_uneven_light_is_the_same_on_every_frame():
    spoilt = degrade.uneven_light(_flat(4000), np.random.default_rng(1), 0.6)
    blocks = ((spoilt.images - OFFSET) / GAIN).reshape(6, 8, 16, 8, 16).mean((2, 4))
    assert np.ptp(blocks, axis=0).max() < 40
    assert blocks[0].min() < 0.6 * blocks[0].max()


def test_drift_moves_image_and_truth_together(movie):
    spoilt = degrade.drift(movie, np.random.default_rng(3), margin=10, step=3)
    assert spoilt.images.shape == (6, 76, 60)
    corners = []
    for given, frame, labels in zip(movie.images, spoilt.images, spoilt.labels, strict=True):
        t = len(corners)
        (found,) = [
            (y, x)
            for y in range(21)
            for x in range(21)
            if np.array_equal(given[y : y + 76, x : x + 60], frame)
        ]
        y, x = found
        assert np.array_equal(movie.labels[t, y : y + 76, x : x + 60], labels)
        corners.append(found)
    assert len(set(corners)) > 2


def test_missing_frames_show_nothing(movie):
    spoilt = degrade.missing_frames(movie, np.random.default_rng(0), 2)
    gone = ~spoilt.labels.any((1, 2))
    assert gone.sum() == 2
    assert not gone[0]
    assert (spoilt.images[gone].max((1, 2)) < OFFSET + 10 * GAIN).all()
    assert np.array_equal(spoilt.images[~gone], movie.images[~gone])


def test_defocus_smooths_some_frames_and_keeps_the_truth(movie):
    spoilt = degrade.defocus(movie, np.random.default_rng(0), 2)
    rough = [np.abs(np.diff(x.astype(float))).mean() for x in spoilt.images]
    before = [np.abs(np.diff(x.astype(float))).mean() for x in movie.images]
    assert sum(a < 0.6 * b for a, b in zip(rough, before, strict=True)) == 2
    assert np.array_equal(spoilt.labels, movie.labels)


def test_thinned_planes_lie_farther_apart():
    stack = nuclei_volume(9, 48, 40, 3, radius=6)
    thin = degrade.thin_out(stack, 4)
    assert np.array_equal(thin.images, stack.images[::4])
    assert np.array_equal(thin.labels, stack.labels[::4])
    assert thin.z_spacing == 4 * stack.z_spacing
    movie = nuclei_volume_movie(2, 5, 48, 40, 3, 0, radius=6)
    assert np.array_equal(degrade.thin_out(movie, 2).images, movie.images[:, ::2])


def test_eight_bits_saturate_as_asked(movie):
    spoilt = degrade.to_8_bit(movie, saturated=5.0)
    assert spoilt.images.dtype == np.uint8
    assert (spoilt.images == 255).mean() == pytest.approx(0.05, abs=0.015)
    assert (spoilt.images == 0).any()


def test_flaws_compose(movie):
    rng = np.random.default_rng(0)
    spoilt = degrade.bleach(degrade.uneven_light(degrade.drift(movie, rng, 4), rng), rng)
    spoilt = degrade.to_8_bit(degrade.missing_frames(degrade.defocus(spoilt, rng), rng))
    assert spoilt.images.shape == spoilt.labels.shape == (6, 88, 72)
    assert set(np.unique(spoilt.labels)) <= set(np.unique(movie.labels))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda m, r: degrade.drift(m, r, 40), "leaves nothing of 96 x 80"),
        (lambda m, r: degrade.missing_frames(m, r, 6), "the first one always stays"),
        (lambda m, r: degrade.defocus(m, r, 7), "7 of 6 frame"),
        (lambda m, r: degrade.thin_out(m, 2), "takes a Z axis"),
        (lambda m, r: degrade.bleach(m, r, 1.5), "lost=1.5"),
        (lambda m, r: degrade.uneven_light(m, r, -1), "strength=-1"),
        (lambda m, r: degrade.bleach(degrade.to_8_bit(m), r), "dim first"),
    ],
)
def test_flaws_that_make_no_sense(spoil, words, movie):
    with pytest.raises(ImageError, match=words):
        spoil(movie, np.random.default_rng(0))
