"""``napari-sam2 track``: objects through a stack."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam2.cli.arguments import (
    Device,
    Model,
    Output,
    Overwrite,
    frame_and_click,
    in_a_sentence,
    provenance,
)
from napari_sam2.cli.progress import frames_bar, load
from napari_sam2.prompts import Click, Direction, FrameIndex

if TYPE_CHECKING:
    from napari_sam2.inference.track_state import TrackState
    from napari_sam2.inference.tracker import VideoTracker
    from napari_sam2.io.labels import LabelWriter


@in_a_sentence
def track(
    stack: Annotated[
        Path, typer.Argument(help="A TIFF stack, a folder of images or a numpy file.", show_default=False)
    ],
    objects: Annotated[
        list[str],
        typer.Option(
            "--object", help="frame,y,x: a click on one object; may be repeated.", show_default=False
        ),
    ],
    output: Output,
    both_ways: Annotated[
        bool, typer.Option("--both-ways", help="Follow each object backwards from its click as well.")
    ] = False,
    model: Model = "nano",
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Follow objects through time or depth, each from one click.

    The label stack is 0 outside, and 1, 2, ... in the objects in the order given.
    """
    clicks = [frame_and_click(text, "--object") for text in objects]
    from napari_sam2.inference.policy import TrackingPolicy
    from napari_sam2.inference.tracker import VideoTracker
    from napari_sam2.io.frames import open_frames
    from napari_sam2.io.labels import LabelWriter

    with open_frames(stack) as frames:
        height, width = frames.shape[1:3]
        policy = TrackingPolicy()
        notes = {
            "command": "track",
            "model": model,
            "policy": repr(policy),
            "prompts": [f"frame {frame}: {click!r}" for frame, click in clicks],
            "both_ways": both_ways,
        }
        shape = (len(frames), height, width)
        with LabelWriter(output, shape, overwrite, provenance=provenance(output, notes)) as writer:
            tracker = VideoTracker(load(model, device), policy)
            state = tracker.start(frames)
            click_objects(tracker, state, clicks)
            with frames_bar(steps([frame for frame, _ in clicks], len(frames), both_ways)) as bar:
                follow(tracker, state, writer, both_ways, bar.update)
    typer.echo(f"{output}: {len(clicks)} object{'s' * (len(clicks) != 1)}, {shape[0]} frames")


def click_objects(tracker: VideoTracker, state: TrackState, clicks: list[tuple[FrameIndex, Click]]) -> None:
    """Prompt objects 1 to n, one click each."""
    for number, (frame, click) in enumerate(clicks, 1):
        tracker.prompt(state, frame, number, clicks=[click])


def steps(starts: Collection[FrameIndex], frames: int, both_ways: bool) -> int:
    """Return how many frames `follow` goes through when objects are clicked on the frames `starts`."""
    return frames - min(starts) + (max(starts) + 1 if both_ways else 0)


def follow(
    tracker: VideoTracker,
    state: TrackState,
    writer: LabelWriter,
    both_ways: bool,
    advance: Callable[[], object] = lambda: None,
) -> None:
    """Propagate all objects, each from its own click, and hand the labels over, frame by frame.

    The backward pass finds objects on frames before their clicks; it only takes pixels that the forward pass
    left free.

    Parameters
    ----------
    advance
        Called after each frame.
    """
    import numpy as np

    for result in tracker.propagate(state):
        writer[result.frame] = result.labels()
        advance()
    if both_ways:
        for result in tracker.propagate(state, direction=Direction.BACKWARD):
            kept = writer[result.frame]
            writer[result.frame] = np.where(kept == 0, result.labels(), kept)
            advance()
