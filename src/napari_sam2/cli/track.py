"""``napari-sam2 track``: objects through a stack."""

from __future__ import annotations

from collections.abc import Callable, Collection
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
    numbers,
    provenance,
)
from napari_sam2.cli.everything import Points, refuse, track_all
from napari_sam2.cli.progress import frames_bar, load
from napari_sam2.cli.volumes import SweepAxis, VolumeOptions, is_volume, track_volume
from napari_sam2.io.export_kind import ExportKind
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
    output: Output,
    objects: Annotated[
        list[str] | None,
        typer.Option(
            "--object",
            help="frame,y,x (of a volume z,y,x): a click on one object; may be repeated.",
            show_default=False,
        ),
    ] = None,
    both_ways: Annotated[
        bool, typer.Option("--both-ways", help="Follow each object backwards from its click as well.")
    ] = False,
    slices: Annotated[
        bool,
        typer.Option("--slices", help="Depth, not time: an object hangs together, and ends once each way."),
    ] = False,
    axis: Annotated[
        SweepAxis | None,
        typer.Option("--axis", help="The stack is a volume: follow its slices along z, y or x."),
    ] = None,
    vote: Annotated[
        bool, typer.Option("--vote", help="Sweep a volume along all three axes; two of three decide.")
    ] = False,
    spacing: Annotated[
        str | None,
        typer.Option("--spacing", help="z,y,x: how far voxels are apart, where the file does not say."),
    ] = None,
    smooth: Annotated[
        float, typer.Option("--smooth", min=0, help="Smooth noisy frames, or a volume, by so many pixels.")
    ] = 0.0,
    between: Annotated[
        str | None,
        typer.Option("--range", help="first,last: look at these slices of a volume only, ends included."),
    ] = None,
    stop: Annotated[
        list[int] | None,
        typer.Option("--stop", help="A slice of a volume beyond which nothing is followed; may be repeated."),
    ] = None,
    time: Annotated[
        int, typer.Option("--time", min=0, help="Volumes in time: the one that the clicks are in.")
    ] = 0,
    everything: Annotated[
        bool, typer.Option("--everything", help="All objects of a movie, without a click; with lineage.")
    ] = False,
    every: Annotated[
        int, typer.Option("--every", min=1, help="With --everything: look for objects every so many frames.")
    ] = 1,
    points: Annotated[
        Points, typer.Option("--points", help="With --everything: ask where objects are likely, or all over.")
    ] = Points.SEEDS,
    kind: Annotated[
        ExportKind | None,
        typer.Option("--kind", help="With --everything: the format, if the output's ending does not say it."),
    ] = None,
    model: Model = "nano",
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Follow objects through time or depth, each from one click, or everything.

    The label stack is 0 outside, and 1, 2, ... in the objects in the order given.
    """
    if everything:
        refuse({"--object": objects})
        track_all(stack, output, kind, every, points, model, device, overwrite)
        return
    if kind is not None:
        raise typer.BadParameter("it goes with --everything; else write .tif or .npy.", param_hint="--kind")
    if not objects:
        raise typer.BadParameter("say where an object is, or ask for --everything.", param_hint="--object")
    clicks = [frame_and_click(text, "--object") for text in objects]
    if is_volume(stack, axis and axis.value, vote):
        from napari_sam2.inference.volume import Voxel

        ends = (0.0, None) if between is None else numbers(between, ("first", "last"), "--range")
        options = VolumeOptions(
            "z" if axis is None else axis.value,
            both_ways,
            vote,
            None if spacing is None else numbers(spacing, ("z", "y", "x"), "--spacing"),
            smooth,
            int(ends[0]),
            None if ends[1] is None else int(ends[1]),
            tuple(stop or ()),
            time,
        )
        voxels = {n: Voxel(frame, click.y, click.x) for n, (frame, click) in enumerate(clicks, 1)}
        track_volume(stack, voxels, output, options, model, device, overwrite)
        return
    from napari_sam2.inference.policy import TrackingPolicy
    from napari_sam2.inference.tracker import VideoTracker
    from napari_sam2.io.frames import open_frames
    from napari_sam2.io.labels import LabelWriter

    with open_frames(stack) as frames:
        height, width = frames.shape[1:3]
        policy = replace(TrackingPolicy.for_stacks() if slices else TrackingPolicy(), smooth=smooth)
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
