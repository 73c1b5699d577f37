"""Masks carried slice by slice, beside the tracker, on made stacks: the figures of docs/how-to/sam1.md.

Run as ``python tests/bench/carried_masks.py [MODEL]``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import numpy as np

from napari_sam2 import MaskPrompt, PromptSet, SliceBySlice, VideoTracker, load_model
from napari_sam2.imaging.phantoms import em_membranes, moving_nuclei, nuclei_volume
from napari_sam2.inference.frame_result import FrameResult
from napari_sam2.inference.slice_by_slice import Carry, CarryPolicy, Prompts

STACKS = {
    "moving nuclei": moving_nuclei(frames=8, height=128, width=128, objects=5, divisions=0, seed=4),
    "nuclei in depth": nuclei_volume(depth=14, height=96, width=96, objects=8, seed=2),
    "neuropil": em_membranes(depth=8, height=160, width=160, objects=14, seed=3),
}
OBJECTS, LEAST_AREA, LEAST_FRAMES = 5, 60, 4


def first_masks(labels: np.ndarray) -> Prompts:
    """The first objects that are large on a few frames, each by its mask on the first of these."""
    prompts = {}
    for number in np.unique(labels)[1:]:
        frames = [at for at, frame in enumerate(labels) if (frame == number).sum() > LEAST_AREA]
        if len(frames) >= LEAST_FRAMES:
            prompts[int(number)] = {frames[0]: PromptSet(mask=MaskPrompt(labels[frames[0]] == number))}
    return dict(list(prompts.items())[:OBJECTS])


def measure(results: Iterable[FrameResult], labels: np.ndarray, prompts: Prompts) -> str:
    """Mean overlap where an object is, behind its prompt, and the number of masks where it is not."""
    by_frame, overlaps, ghosts = {result.frame: result for result in results}, [], 0
    for number, (start,) in ((n, of_object) for n, of_object in prompts.items()):
        for frame in range(start + 1, len(labels)):
            there, found = labels[frame] == number, np.zeros(labels.shape[1:], bool)
            result = by_frame.get(frame)
            if result is not None and number in result.object_ids:
                found = (result.logits[result.object_ids.index(number)] > 0).cpu().numpy()
            if there.any():
                overlaps.append((there & found).sum() / (there | found).sum())
            else:
                ghosts += bool(found.any())
    return f"overlap {np.mean(overlaps):.3f} of {len(overlaps)}, {ghosts} masks of nothing"


def main() -> None:
    model = load_model(sys.argv[1] if len(sys.argv) > 1 else "nano")
    for name, phantom in STACKS.items():
        prompts = first_masks(phantom.labels)
        for carry in Carry:
            for least in (0.6, 0.0):
                follower = SliceBySlice(model, CarryPolicy(carry, least_score=least))
                found = measure(follower.follow(phantom.images, prompts), phantom.labels, prompts)
                print(f"{name}: {carry.value}, least score {least}: {found}", flush=True)
        if model.capabilities.tracks:
            tracker = VideoTracker(model)
            state = tracker.start(phantom.images)
            for number, of_object in prompts.items():
                for frame, prompt in of_object.items():
                    tracker.prompt(state, frame, number, mask=prompt.mask)
            print(
                f"{name}: tracker: {measure(tracker.propagate(state), phantom.labels, prompts)}", flush=True
            )


if __name__ == "__main__":
    main()
