"""``napari-sam2 track``: objects through a stack."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
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
from napari_sam2.prompts import Click, Direction, FrameIndex, ObjectId

if TYPE_CHECKING:
    from napari_sam2.inference.track_state import TrackState
    from napari_sam2.inference.tracker import FrameResult, VideoTracker
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
            anchors = click_objects(tracker, state, clicks)
            with frames_bar(steps(anchors, len(frames), both_ways)) as bar:
                follow(tracker, state, anchors, writer, both_ways, bar.update)
    typer.echo(f"{output}: {len(clicks)} object{'s' * (len(clicks) != 1)}, {shape[0]} frames")


def click_objects(
    tracker: VideoTracker, state: TrackState, clicks: list[tuple[FrameIndex, Click]]
) -> dict[ObjectId, FrameIndex]:
    """Prompt objects 1 to n, one click each; return the frame of each one's click."""
    for number, (frame, click) in enumerate(clicks, 1):
        tracker.prompt(state, frame, number, clicks=[click])
    return {number: frame for number, (frame, _) in enumerate(clicks, 1)}


def steps(anchors: Mapping[ObjectId, FrameIndex], frames: int, both_ways: bool) -> int:
    """Return how many frames `follow` goes through."""
    return frames - min(anchors.values()) + (max(anchors.values()) if both_ways else 0)


def follow(
    tracker: VideoTracker,
    state: TrackState,
    anchors: Mapping[ObjectId, FrameIndex],
    writer: LabelWriter,
    both_ways: bool,
    advance: Callable[[], object] = lambda: None,
) -> None:
    """Propagate all objects and hand the labels over, frame by frame.

    From its click on, an object keeps what the forward pass says; the backward pass only speaks for frames
    before it. Where the two claim a pixel for different objects, the forward one keeps it.

    Parameters
    ----------
    anchors
        The frame of each object's click.
    advance
        Called after each frame.
    """
    for result in tracker.propagate(state, start=min(anchors.values()), direction=Direction.FORWARD):
        begun = {number for number, anchor in anchors.items() if anchor <= result.frame}
        writer[result.frame] = only(result, begun).labels()
        advance()
    last = max(anchors.values())
    if not both_ways or last == 0:
        return
    for result in tracker.propagate(state, start=last, direction=Direction.BACKWARD):
        if result.frame == last:
            continue
        coming = {number for number, anchor in anchors.items() if anchor > result.frame}
        labels = writer[result.frame]
        free = labels == 0
        labels[free] = only(result, coming).labels()[free]
        writer[result.frame] = labels
        advance()


def only(result: FrameResult, numbers: Collection[ObjectId]) -> FrameResult:
    """Return the result of some of the objects."""
    rows = [row for row, number in enumerate(result.object_ids) if number in numbers]
    return replace(
        result,
        object_ids=tuple(result.object_ids[row] for row in rows),
        logits=result.logits[rows],
        scores=result.scores[rows],
    )
