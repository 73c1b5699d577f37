"""Whole video sessions against the reference's, operation by operation and frame by frame (tests/golden)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.frame_result import FrameResult
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.track_state import TrackState
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.prompts import Box, Click, Direction
from tests.conftest import golden, recipe

TOLERANCE = {"tiny-2.1": 5e-4, "large-2.0": 5e-4}
SWITCHES = ("non_overlap_masks", "add_all_frames_to_correct_as_cond", "binarize_mask_from_pts_for_mem_enc")


def click(point: list[float], label: int) -> Click:
    return Click(point[1], point[0], bool(label))


def perform(tracker: VideoTracker, state: TrackState, op: dict[str, Any]) -> Iterable[FrameResult]:
    """Do what the reference was asked to do; its coordinates are (x, y)."""
    kind = op["op"]
    if kind == "points":
        clicks = [click(p, label) for p, label in zip(op["points"], op["labels"], strict=True)]
        new = op.get("clear_old", True)
        return [tracker.prompt(state, op["frame"], op["obj"], clicks=clicks, replace=new)]
    if kind == "box":
        x0, y0, x1, y1 = op["box"]
        return [tracker.prompt(state, op["frame"], op["obj"], box=Box(y0, x0, y1, x1))]
    if kind == "mask":
        mask = recipe.disk_mask(*state.shape, op["disk"])
        return [tracker.prompt(state, op["frame"], op["obj"], mask=mask)]
    if kind == "clear":
        return [tracker.clear(state, op["frame"], op["obj"])]
    if kind == "remove":
        return tracker.remove(state, op["obj"])
    if kind == "reset":
        tracker.reset(state)
        return []
    assert kind == "propagate"
    # The reference counts frames after the first one.
    length = op["max"] + 1 if "max" in op else None
    direction = Direction.BACKWARD if op.get("reverse") else Direction.FORWARD
    return tracker.propagate(state, start=op.get("start"), length=length, direction=direction)


def settle_ties(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where two objects are level to the last digit, either may get the pixel: compare those in order."""
    swapped = ours.argmax(axis=1) != theirs.argmax(axis=1)
    assert swapped.sum() <= 2
    pick = swapped[:, None]
    return np.where(pick, np.sort(ours, axis=1), ours), np.where(pick, np.sort(theirs, axis=1), theirs)


@pytest.mark.parametrize(
    ("name", "budget"),
    [
        ("nano-2.1", 2**40),
        ("nano-2.1", 0),
        ("nano-2.0", 2**40),
        ("nano-2.1-nonoverlap-allcond", 2**40),
        ("nano-2.1-nonoverlap-allcond", 0),
        ("tiny-2.1", 2**40),
        ("large-2.0", 2**40),
    ],
)
def test_session(name: str, budget: int) -> None:
    case = golden(name)
    config = case.meta["config"]
    policy = TrackingPolicy.reference(
        fill_hole_area=0,
        state_bytes=budget,
        embedding_bytes=budget,
        **{key: config[key] for key in SWITCHES if key in config},
    )
    tracker = VideoTracker(case.model, policy)
    state = tracker.start(case.frames, IntensityMap.identity())
    thin = case.meta["video_stride"]
    compared = 0
    for number, op in enumerate(case.meta["ops"]):
        key = f"video/op{number:02d}"
        results = list(perform(tracker, state, op))
        if f"{key}/frames" not in case.vectors:
            assert op["op"] == "reset"
            continue
        assert [r.frame for r in results] == case.vectors[f"{key}/frames"].tolist(), op
        assert list(results[0].object_ids) == case.vectors[f"{key}/ids"].tolist(), op
        ours = np.stack([r.logits[:, thin // 2 :: thin, thin // 2 :: thin].numpy() for r in results])
        theirs = case.vectors[f"{key}/logits"]
        if policy.non_overlap_masks:
            ours, theirs = settle_ties(ours, theirs)
        np.testing.assert_allclose(ours, theirs, atol=TOLERANCE.get(name, 5e-5), rtol=0, err_msg=f"{op}")
        compared += ours.size
    assert compared > 0
