"""``napari-sam2 track`` on volumes: bodies through depth along any axis, and through volumes in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from napari_sam2.cli.arguments import provenance
from napari_sam2.cli.progress import frames_bar, load
from napari_sam2.errors import ImageError

if TYPE_CHECKING:
    from napari_sam2.inference.sweep import Reach
    from napari_sam2.inference.tracker import VideoTracker
    from napari_sam2.inference.volume import Voxel
    from napari_sam2.inference.volumes_in_time import VolumeFound
    from napari_sam2.io.opened_image import OpenedImage


class SweepAxis(Enum):
    """What ``--axis`` takes."""

    z = "z"
    y = "y"
    x = "x"


@dataclass(frozen=True, slots=True)
class VolumeOptions:
    """What the user says about a volume; `spacing` is left out where the file knows it."""

    axis: str = "z"
    both_ways: bool = False
    vote: bool = False
    spacing: tuple[float, ...] | None = None
    smooth: float = 0.0
    first: int = 0
    last: int | None = None
    stops: tuple[int, ...] = ()
    time: int = 0

    def reach(self) -> Reach:
        """Return how far bodies are followed."""
        from napari_sam2.inference.sweep import Reach

        return Reach(self.both_ways, self.first, self.last, self.stops)


def is_volume(path: Path, axis: str | None, vote: bool) -> bool:
    """Whether the slices of a volume are to be followed: as asked for, or because there is depth and time."""
    from napari_sam2.io.images import open_image

    if axis is not None or vote:
        return True
    with open_image(path) as image:
        return image.size("T") > 1 and image.size("Z") > 1


def track_volume(
    path: Path,
    voxels: Mapping[int, Voxel],
    output: Path,
    options: VolumeOptions,
    model: str,
    device: str | None,
    overwrite: bool,
) -> None:
    """Follow bodies, each from one click, and write their labels: (Z, Y, X), or (T, Z, Y, X) through time."""
    from napari_sam2.inference.body import label_planes
    from napari_sam2.inference.policy import TrackingPolicy
    from napari_sam2.inference.tracker import VideoTracker
    from napari_sam2.io.images import open_image
    from napari_sam2.io.labels import LabelWriter

    with open_image(path) as image:
        depth = _depth(image, options)
        times = image.size("T") if depth == "Z" else 1
        shape = tuple(image.size(letter) for letter in (depth, "Y", "X"))
        spacing = options.spacing or _spacing(image, depth)
        policy = TrackingPolicy.for_stacks()
        notes = {
            "command": "track",
            "model": model,
            "policy": repr(policy),
            "volume": asdict(options) | {"spacing": spacing},
            "prompts": [f"{number}: {voxel!r}" for number, voxel in voxels.items()],
        }
        height, width = shape[1:]
        with LabelWriter(
            output,
            (times * shape[0], height, width),
            overwrite,
            provenance=provenance(output, notes),
            depth=shape[0],
        ) as writer:
            tracker = VideoTracker(load(model, device), policy)
            planned = 3 * sum(shape) if options.vote else shape["zyx".index(options.axis)]
            with frames_bar(planned * (2 if options.both_ways else 1) * (times - options.time)) as bar:
                for found in _found(image, depth, tracker, voxels, options, spacing, bar.update):
                    for daughter, mother in found.mothers.items():
                        typer.echo(f"volume {found.time}: {daughter} is a daughter of {mother}")
                    for z, plane in enumerate(label_planes(found.bodies, shape)):
                        writer[found.time * shape[0] + z] = plane
    many = f", {times} volumes" if times > 1 else ""
    typer.echo(f"{output}: {len(voxels)} object{'s' * (len(voxels) != 1)}, {shape[0]} slices{many}")


def _found(
    image: OpenedImage,
    depth: str,
    tracker: VideoTracker,
    voxels: Mapping[int, Voxel],
    options: VolumeOptions,
    spacing: tuple[float, ...],
    advance: Callable[[], object],
) -> Iterator[VolumeFound]:
    """Yield the bodies of each time."""
    import numpy as np

    from napari_sam2.inference.sweep import follow_volume
    from napari_sam2.inference.volume import VolumeFrames, prompts_along
    from napari_sam2.inference.volumes_in_time import VolumeFound, VolumesInTime
    from napari_sam2.inference.vote import follow_and_vote
    from napari_sam2.io.frames import frames_of

    places = {number: [voxel] for number, voxel in voxels.items()}
    if depth == "Z" and image.size("T") > 1:
        follower = VolumesInTime(tracker, spacing, options.smooth)
        yield from follower.follow(_Times(image), places, options.time, advance)
        return
    volume: Any = frames_of(image, along=depth)
    if options.vote or options.axis != "z":
        volume = np.stack([volume[z] for z in range(len(volume))])  # read across all slices, again and again
    if options.vote:
        bodies = follow_and_vote(tracker, volume, places, spacing, options.smooth, advance=advance)
    else:
        frames = VolumeFrames(volume, options.axis, spacing, options.smooth)
        prompts = prompts_along(frames.axis, places)
        bodies = follow_volume(tracker, frames, prompts, options.reach(), advance=advance)
    yield VolumeFound(0, bodies)


@dataclass(frozen=True, slots=True)
class _Times:
    """The volumes of an image, one a time; slices are read when they are needed."""

    image: OpenedImage

    def __len__(self) -> int:
        return self.image.size("T")

    def __getitem__(self, time: int) -> Any:
        from napari_sam2.io.frames import frames_of

        return frames_of(self.image, along="Z", at={"T": time})


def _depth(image: OpenedImage, options: VolumeOptions) -> str:
    """Return the axis of the slices: Z, or T where nothing says that a stack is one in depth."""
    from napari_sam2.inference.sweep import Reach

    depth = "Z" if image.size("Z") > 1 else "T"
    if image.size(depth) < 2:
        raise ImageError(f"{image.layout}, that is no volume: it needs more than one slice along Z.")
    through_time = depth == "Z" and image.size("T") > 1
    if through_time and (options.vote or options.axis != "z" or not options.both_ways):
        raise ImageError(
            f"{image.layout}: volumes through time are swept along z, both ways. Give --both-ways, and "
            "neither --vote nor another --axis."
        )
    if (options.vote or through_time) and options.reach() != Reach(options.both_ways):
        raise ImageError("--range and --stop go with one sweep through one volume: leave them out.")
    if options.vote and not options.both_ways:
        raise ImageError("The three sweeps vote on whole bodies: give --both-ways as well.")
    return depth


def _spacing(image: OpenedImage, depth: str) -> tuple[float, ...]:
    """Return the distances that the file knows; equal ones where it does not, or not all in one unit."""
    known = [image.spacing.get(letter) for letter in (depth, "Y", "X")]
    if depth != "Z" or any(one is None for one in known) or len({one.unit for one in known if one}) > 1:
        return (1.0, 1.0, 1.0)
    return tuple(one.step for one in known if one)
