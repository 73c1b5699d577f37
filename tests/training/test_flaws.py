"""Flaws of a clip: seeded, in range, and each leaves its mark."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2.training import flaws
from napari_sam2.training.augment_clips import restain


def clip(frames: int = 4, channels: int = 1) -> np.ndarray:
    rows, columns = np.mgrid[:48, :48] / 48
    light = 0.1 + 0.8 * np.exp(-((rows - 0.5) ** 2 + (columns - 0.4) ** 2) / 0.02)
    return np.broadcast_to(light[None, ..., None], (frames, 48, 48, channels)).astype(np.float32)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("frames", "channels"), [(4, 1), (1, 3)])
def test_seeded_and_in_range(seed: int, frames: int, channels: int) -> None:
    images = clip(frames, channels)
    one, again = (flaws.flaw(np.random.default_rng(seed), images) for _ in range(2))
    assert np.array_equal(one, again)
    assert one.shape == images.shape
    assert one.dtype == np.float32
    assert 0 <= one.min() <= one.max() <= 1
    assert not np.array_equal(one, images)
    assert np.array_equal(images, clip(frames, channels))


def test_stripes_are_lines() -> None:
    both = set()
    for seed in range(20):
        change = flaws.stripes(np.random.default_rng(seed), np.full((2, 48, 48, 1), 0.5, np.float32)) - 0.5
        along = [float(np.ptp(change, axis=axis).max()) < 1e-6 for axis in (1, 2)]
        assert sum(along) == 1, "the same all along rows, or all along columns"
        both.add(tuple(along))
    assert len(both) == 2


def test_saturation_has_a_top() -> None:
    for seed in range(10):
        found = np.clip(flaws.saturate(np.random.default_rng(seed), clip()), 0, 1)
        assert found.mean() > clip().mean()
        assert found.min() < 1


def test_bleaching_goes_down_and_stills_are_the_end() -> None:
    falls = []
    for seed in range(20):
        means = flaws.bleach(np.random.default_rng(seed), clip()).mean((1, 2, 3))
        falls.append((np.diff(means) < 0).all())
    assert all(falls)
    dim = [flaws.bleach(np.random.default_rng(seed), clip(1)).max() < 0.8 for seed in range(20)]
    assert 0 < sum(dim) < 20, "stretched again or not"


def test_haze_leaves_few_levels() -> None:
    levels = [
        len(np.unique(np.rint(flaws.haze(np.random.default_rng(seed), clip()) * 1000))) for seed in range(20)
    ]
    assert min(levels) < 40


def test_restaining_draws_nothing_for_flaws_unless_asked() -> None:
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    assert np.array_equal(restain(one, clip()), restain(other, clip(), flaws=0.0))
    assert one.random() == other.random(), "a run goes on as it began"
    assert not np.array_equal(
        restain(np.random.default_rng(3), clip()), restain(np.random.default_rng(3), clip(), flaws=1.0)
    )
