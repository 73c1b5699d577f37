"""Frames are smoothed one at a time, keep their kind, and reach the network so."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2.errors import Sam2Error
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.smooth_frames import SmoothFrames
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_noise_goes_and_the_kind_of_number_stays(dtype: type) -> None:
    noisy = np.random.default_rng(0).normal(100, 20, (3, 40, 50)).clip(0, 200).astype(dtype)
    smooth = SmoothFrames(noisy, 1.0)
    assert smooth.shape == (3, 40, 50) and len(smooth) == 3
    assert smooth[1].dtype == dtype and smooth[1].shape == (40, 50)
    assert smooth[1].std() < 0.4 * noisy[1].std()
    assert abs(smooth[1].mean() - noisy[1].mean()) < 1


def test_a_dot_spreads_within_its_frame_and_channel() -> None:
    frames = np.zeros((3, 21, 21, 3), np.float32)
    frames[1, 10, 10, 2] = 1
    smooth = SmoothFrames(frames, 1.5)
    assert not smooth[0].any() and not smooth[2].any()
    assert not smooth[1][..., :2].any()
    dot = smooth[1][..., 2]
    assert dot.sum() == pytest.approx(1, abs=1e-3)
    rows = (np.arange(21) - 10) ** 2
    assert np.sqrt((dot.sum(1) * rows).sum()) == pytest.approx(1.5, rel=0.05)


def test_a_bright_ground_does_not_wrap_round() -> None:
    full = SmoothFrames(np.full((1, 9, 9), 255, np.uint8), 2.0)[0]
    assert (full == 255).all()


def test_what_is_no_picture_comes_through_for_others_to_complain_about() -> None:
    frames = np.full((2, 8, 8), 1j)
    np.testing.assert_array_equal(SmoothFrames(frames, 1.0)[0], frames[0])


def test_the_tracker_smooths_where_its_policy_says_so(small_model: SAM2) -> None:
    images = moving_nuclei(2, 64, 64, objects=2, divisions=0, radius=8.0).images

    def found(policy: TrackingPolicy, frames: np.ndarray | SmoothFrames) -> list[np.ndarray]:
        tracker = VideoTracker(small_model, policy)
        state = tracker.start(frames)
        tracker.prompt(state, 0, 1, clicks=[Click(30, 30)])
        return [result.logits.numpy() for result in tracker.propagate(state)]

    by_policy = found(TrackingPolicy(smooth=1.2), images)
    by_hand = found(TrackingPolicy(), np.stack([SmoothFrames(images, 1.2)[t] for t in range(2)]))
    plain = found(TrackingPolicy(), images)
    for one, other, rough in zip(by_policy, by_hand, plain, strict=True):
        np.testing.assert_array_equal(one, other)
        assert (one != rough).any()


def test_a_smoothing_without_sense_is_refused() -> None:
    for deviation in (-1.0, float("inf"), float("nan")):
        with pytest.raises(Sam2Error, match="smooth is a number of pixels"):
            TrackingPolicy(smooth=deviation)
