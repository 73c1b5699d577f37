"""Corruptions: seeded, graded, of any layout, and each does what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2.errors import ImageError
from napari_sam2.imaging.corruptions import (
    FAR,
    MICROSCOPE,
    SEVERITIES,
    Corrupted,
    Corruption,
    as_light,
    corrupt,
)
from napari_sam2.imaging.phantoms import Phantom, moving_nuclei


@pytest.fixture(scope="module")
def movie() -> Phantom:
    return moving_nuclei(8, 80, 96, objects=5, divisions=0, radius=8.0, seed=3)


def spoilt(movie: Phantom, corruption: Corruption | None, severity: int = 3, seed: int = 0) -> Corrupted:
    return corrupt(movie.images, movie.labels, corruption, severity, seed)


def difference(one: Corrupted, other: Corrupted) -> float:
    return float(np.sqrt(((one.images.astype(float) - other.images) ** 2).mean()))


def test_the_two_sets() -> None:
    assert len(MICROSCOPE) == 12
    assert len(FAR) == 10
    assert not set(MICROSCOPE) & set(FAR)
    assert set(MICROSCOPE) | set(FAR) == set(Corruption)


@pytest.mark.parametrize("corruption", Corruption)
def test_seeded_and_graded_and_the_given_stays(movie: Phantom, corruption: Corruption) -> None:
    images, labels = movie.images.copy(), movie.labels.copy()
    clean = spoilt(movie, None)
    found = [
        np.mean([difference(spoilt(movie, corruption, s, seed), clean) for seed in range(3)])
        for s in SEVERITIES
    ]
    assert found[0] > 0.3, "even the least is seen"
    if corruption is not Corruption.MISSING:  # of eight frames 5 % and 12 % are one
        assert found == sorted(found), "each severity is worse than the one before"
    assert np.array_equal(movie.images, images)
    assert np.array_equal(movie.labels, labels)
    one, again, other = (spoilt(movie, corruption, 3, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.images, again.images)
    assert np.array_equal(one.labels, again.labels)
    assert one.images.dtype == np.uint8
    if corruption not in (Corruption.DEFOCUS, Corruption.SATURATION, Corruption.COMPRESSION):
        assert not np.array_equal(one.images, other.images)


@pytest.mark.parametrize("corruption", Corruption)
def test_colour_and_single_images(movie: Phantom, corruption: Corruption) -> None:
    colour = np.stack([as_light(movie.images) * share * 255 for share in (1, 0.7, 0.4)], -1).astype(np.uint8)
    found = corrupt(colour, movie.labels, corruption, 5)
    assert found.images.shape == colour.shape
    assert not np.array_equal(found.images, colour)
    alone = corrupt(movie.images[:1], movie.labels[:1], corruption, 5)
    clean = corrupt(movie.images[:1], movie.labels[:1], None)
    assert alone.images.shape == (1, 80, 96)
    assert np.array_equal(alone.images, clean.images) == corruption.needs_frames


def test_without_one_it_is_eight_bits(movie: Phantom) -> None:
    found = spoilt(movie, None)
    assert np.array_equal(found.images, np.rint(as_light(movie.images) * 255))
    assert found.labels is movie.labels
    assert found.lost == ()


@pytest.mark.parametrize("severity", [0, 6])
def test_severities_that_there_are_not(movie: Phantom, severity: int) -> None:
    with pytest.raises(ImageError, match="from 1 to 5"):
        spoilt(movie, Corruption.MOTION, severity)


def test_the_truth_moves_with_the_drift(movie: Phantom) -> None:
    clean = spoilt(movie, None)
    found = spoilt(movie, Corruption.DRIFT, 4)
    assert np.array_equal(found.images[0], clean.images[0]), "the first frame stays"
    assert not np.array_equal(found.labels, movie.labels)
    for t in range(8):
        for label in np.unique(found.labels[t])[1:]:
            seen = found.images[t][found.labels[t] == label].astype(int)
            there = clean.images[t][movie.labels[t] == label].astype(int)
            assert seen.size <= there.size
            assert set(seen.tolist()) <= set(there.tolist()), "an object shows the same pixels"


def test_drift_beyond_the_image_is_no_error() -> None:
    images = np.random.default_rng(0).integers(0, 255, (30, 6, 7), np.uint8)
    labels = np.ones((30, 6, 7), np.uint8)
    found = corrupt(images, labels, Corruption.DRIFT, 5)
    assert found.images.shape == (30, 6, 7)
    assert not found.labels[-1].all()


@pytest.mark.parametrize(("severity", "count"), [(1, 1), (3, 2), (5, 4)])
def test_missing_frames_are_dark_and_never_the_first(movie: Phantom, severity: int, count: int) -> None:
    for seed in range(5):
        found = spoilt(movie, Corruption.MISSING, severity, seed)
        assert len(found.lost) == count
        assert 0 not in found.lost
        for t in range(8):
            assert (found.images[t].mean() < 10) == (t in found.lost)


def test_bleaching_dims_the_last_frame_most(movie: Phantom) -> None:
    found = spoilt(movie, Corruption.BLEACHING, 4).images.mean((1, 2))
    clean = spoilt(movie, None).images.mean((1, 2))
    left = found / clean
    assert left[0] == pytest.approx(1, abs=0.05)
    assert (np.diff(left) < 0).all()
    assert left[-1] == pytest.approx(0.15, abs=0.08)


def test_shot_noise_grows_with_the_light() -> None:
    light = np.zeros((1, 80, 80), np.uint8)
    light[..., 40:], light[..., 60:] = 60, 255
    noise = corrupt(light, np.zeros_like(light), Corruption.SHOT_NOISE, 1).images.astype(float)
    assert noise[..., :40].std() == 0
    assert noise[..., 40:60].std() == pytest.approx(255 * np.sqrt(60 / 255 / 60), rel=0.15)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_bright_ground_is_not_saturated_away(severity: int) -> None:
    tissue = np.random.default_rng(0).integers(200, 250, (1, 60, 60, 3)).astype(np.uint8)
    tissue[0, 20:40, 20:40] = (150, 90, 160)
    found = corrupt(tissue, np.ones((1, 60, 60), np.uint8), Corruption.SATURATION, severity).images
    assert (found == 255).any()
    assert found.min() < 255


def test_stripes_run_along_rows(movie: Phantom) -> None:
    change = spoilt(movie, Corruption.STRIPES, 3).images.astype(int) - spoilt(movie, None).images
    dark = movie.labels == 0
    rows = np.array([change[0, y][dark[0, y]].mean() for y in range(80)])
    within = np.array([change[0, y][dark[0, y]].std() for y in range(80)])
    assert rows.std() > 2 * np.median(within)


def test_blue_and_brownish_noise_lie_at_the_ends_of_the_spectrum() -> None:
    flat = np.full((1, 64, 64), 100, np.uint8)
    flat[0, 0, 0], flat[0, 0, 1] = 0, 255  # else there is no range

    def middle(corruption: Corruption) -> float:
        noise = corrupt(flat, np.zeros_like(flat), corruption, 1).images[0].astype(float)
        power = abs(np.fft.rfft2(noise - noise.mean())) ** 2
        frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.rfftfreq(64))
        return float((power * frequency).sum() / power.sum())

    white = 0.38
    assert 2 * middle(Corruption.BROWNISH_NOISE) < white < middle(Corruption.BLUE_NOISE) - 0.02


def test_the_checkerboard_hides_whole_squares(movie: Phantom) -> None:
    hidden = [float((spoilt(movie, Corruption.CHECKERBOARD, s).images == 128).mean()) for s in SEVERITIES]
    assert hidden == sorted(hidden)
    assert 0 < hidden[0] < hidden[-1] <= 0.5


def test_patterns_stay_and_noise_does_not(movie: Phantom) -> None:
    still = movie.images[:1].repeat(2, axis=0)
    for corruption, stays in (
        (Corruption.SPARKLES, True),
        (Corruption.SINE_WAVES, True),
        (Corruption.CAUSTICS, True),
        (Corruption.PLASMA, False),
        (Corruption.SINGLE_FREQUENCY, False),
        (Corruption.READ_NOISE, False),
    ):
        one, other = corrupt(still, movie.labels[:2], corruption, 3).images
        assert np.array_equal(one, other) == stays, corruption
