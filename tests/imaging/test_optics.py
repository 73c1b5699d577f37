"""Noise, blur and the camera."""

import numpy as np
import pytest

from napari_sam2.imaging.optics import GAIN, OFFSET, blur, camera, veil, waves


@pytest.mark.parametrize(("shape", "lengths"), [((70, 50), (9.0, 20.0)), ((5, 40, 30), (2.0, 7.0, 7.0))])
def test_waves_are_smooth_and_scaled(shape, lengths):
    noise = waves(np.random.default_rng(0), shape, lengths)
    assert noise.shape == shape
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 1e-3
    assert noise.std() == pytest.approx(1, abs=1e-3)
    for axis, length in enumerate(lengths):
        assert np.abs(np.diff(noise, axis=axis)).mean() < 2.5 / length


@pytest.mark.parametrize("shape", [(64, 64), (61, 47)])
def test_blur_keeps_the_light_and_spreads_it(shape):
    light = np.zeros(shape, np.float32)
    light[28:34, 20:26] = 1
    assert blur(light, 1.0, 4.0, 0.3).sum() == pytest.approx(36, rel=0.02)
    core, footed = blur(light, 1.0), blur(light, 1.0, 4.0, 0.3)
    assert footed[31, 36] > 50 * max(core[31, 36], 1e-6)
    assert footed[31, 23] < core[31, 23]


def test_a_veil_is_a_wide_blur_in_place():
    light = np.zeros((63, 50), np.float32)
    light[30, 20] = 1
    spread = veil(light, 6.0)
    rows, columns = np.indices(light.shape)
    # The coarse copy knows places to half of its pixels of 4.
    assert (spread * rows).sum() / spread.sum() == pytest.approx(30, abs=2)
    assert (spread * columns).sum() / spread.sum() == pytest.approx(20, abs=2)
    assert np.sqrt((spread * (rows - 30) ** 2).sum() / spread.sum()) == pytest.approx(6, rel=0.15)


def test_the_camera_counts_photons_with_their_noise():
    counts = camera(np.random.default_rng(0), np.full((200, 200), 0.5, np.float32), 400)
    assert counts.dtype == np.uint16
    assert (counts.mean() - OFFSET) / GAIN == pytest.approx(200, rel=0.01)
    assert counts.std() / GAIN == pytest.approx(np.sqrt(202.5), rel=0.03)
