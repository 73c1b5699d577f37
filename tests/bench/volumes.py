"""Bodies in space, and through time: ``python tests/bench/volumes.py DATA [--model nano] [--only NAME]``.

DATA is a folder that holds ``nuclei_3d_gonuclear_1135``. In depth: one click in the middle of each nucleus on
its middle slice, followed both ways along each axis, and the vote of the three, beside what needs no memory:
masks carried from slice to slice by overlap (Otsu and watershed) and by the same network; the image as it is,
and smoothed in space. In time: made volumes of nuclei that move and divide, clicked in the first.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from napari_sam2 import SliceBySlice, TrackingPolicy, VideoTracker, load_model
from napari_sam2.evaluation.baselines import CarriedByOverlap
from napari_sam2.evaluation.identity import identity_score
from napari_sam2.evaluation.metrics import iou, mean
from napari_sam2.evaluation.objects import Choice
from napari_sam2.imaging.phantoms import nuclei_volume_movie
from napari_sam2.inference.body import Body
from napari_sam2.inference.simulated_user import first_click
from napari_sam2.inference.sweep import follow_volume
from napari_sam2.inference.time_policy import KeySlice, TimePolicy
from napari_sam2.inference.volume import Axis, VolumeFrames, Voxel, prompts_along
from napari_sam2.inference.volumes_in_time import VolumeFound, VolumesInTime
from napari_sam2.inference.vote import vote
from napari_sam2.io.datasets import open_dataset
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Direction

NUCLEI = "nuclei_3d_gonuclear_1135"
LARGE = 1000  # voxels: below, a nucleus is cut by the border or barely there


@dataclass
class Depth:
    """One volume, its truth, its clicks."""

    model: SAM2
    image: np.ndarray
    truth: np.ndarray
    numbers: list[int]
    smooth: float
    bodies: dict[Axis, dict[int, Body]] = field(default_factory=dict)

    def clicks(self) -> dict[int, list[Voxel]]:
        return {number: [middle(self.truth == number)] for number in self.numbers}

    def sweep(self, axis: Axis) -> Callable[[int], np.ndarray]:
        tracker = VideoTracker(self.model, TrackingPolicy.for_stacks(embedding_bytes=2**31))
        frames = VolumeFrames(self.image, axis, smooth=self.smooth)
        self.bodies[axis] = follow_volume(tracker, frames, prompts_along(axis, self.clicks()))
        return lambda number: filled(self.bodies[axis][number])

    def vote(self) -> Callable[[int], np.ndarray]:
        return lambda number: filled(vote([self.bodies[axis][number] for axis in Axis]))

    def carried(self) -> Callable[[int], np.ndarray]:
        follower = CarriedByOverlap()
        follower.start(np.stack([*VolumeFrames(self.image, smooth=self.smooth)]))
        for number, prompts in prompts_along(Axis.Z, self.clicks()).items():
            for frame, prompt in prompts.items():
                follower.prompt(frame, number, prompt)
        forward = ((one.frame, one.labels) for one in follower.propagate())
        backward = ((one.frame, one.labels) for one in follower.propagate(direction=Direction.BACKWARD))
        return self._joined(forward, backward)

    def no_memory(self) -> Callable[[int], np.ndarray]:
        follower, frames = SliceBySlice(self.model), VolumeFrames(self.image, smooth=self.smooth)
        prompts = prompts_along(Axis.Z, self.clicks())
        both = (
            ((one.frame, one.labels()) for one in follower.follow(frames, prompts, direction))
            for direction in Direction
        )
        return self._joined(*both)

    def _joined(self, *ways: Iterator[Any]) -> Callable[[int], np.ndarray]:
        found = np.zeros(self.truth.shape, np.int64)
        for way in ways:
            for frame, labels in way:
                found[frame] = np.where(found[frame] == 0, labels, found[frame])
        return lambda number: found == number


def middle(own: np.ndarray) -> Voxel:
    """A click in the middle of the middle slice of a body."""
    slices = np.flatnonzero(own.any(axis=(1, 2)))
    z = int(slices[len(slices) // 2])
    click = first_click(own[z])
    return Voxel(z, click.y, click.x)


def filled(body: Body) -> np.ndarray:
    return body.voxels(tuple(slice(0, length) for length in body.shape))


def in_depth(data: Path, model: SAM2, objects: int | None, smooths: list[float]) -> None:
    (sequence,) = open_dataset(data / NUCLEI)
    image, truth = sequence.read()
    numbers = Choice(most=objects).of(truth)
    large = [number for number in numbers if (truth == number).sum() >= LARGE]
    print(f"\n| {NUCLEI}, 3D IoU | smoothed | all {len(numbers)} | {len(large)} over {LARGE} voxels | s |")
    print("|---|---|---|---|---|")
    for smooth in smooths:
        depth = Depth(model, image, truth, numbers, smooth)
        ways: dict[str, Callable[[], Callable[[int], np.ndarray]]] = {
            "carried by overlap (Otsu, watershed)": depth.carried,
            "carried by the network, no memory": depth.no_memory,
            **{f"sweep along {axis.value}": partial(depth.sweep, axis) for axis in Axis},
            "vote of the three": depth.vote,
        }
        for name, way in ways.items():
            start = time.perf_counter()
            found = way()
            scores = {number: iou(truth == number, found(number)) for number in numbers}
            took = time.perf_counter() - start
            every, over = mean(scores.values()), mean(scores[number] for number in large)
            print(f"| {name} | {smooth:g} | {every:.3f} | {over:.3f} | {took:.0f} |", flush=True)


def in_time(model: SAM2, seeds: int, volumes: int, objects: int, divisions: int) -> None:
    head = "carried on | seed | objects | kept | invented | daughters kept | IoU at the end | s a volume"
    print(f"\n| {head} |\n|{'---|' * 8}")
    kept: dict[KeySlice, list[float]] = {}
    for seed in range(seeds):
        movie = nuclei_volume_movie(volumes, objects=objects, divisions=divisions, seed=seed)
        clicks = {int(n): [middle(movie.labels[0] == n)] for n in np.unique(movie.labels[0])[1:]}
        for key in KeySlice:
            tracker = VideoTracker(model, TrackingPolicy.for_stacks(embedding_bytes=2**31))
            follower = VolumesInTime(tracker, (movie.z_spacing, 1, 1), policy=TimePolicy(key))
            start = time.perf_counter()
            found: list[VolumeFound] = []
            for one in follower.follow(movie.images, clicks):
                found.append(one)
                print(f"  seed {seed}, {key.value}: volume {one.time}", file=sys.stderr, flush=True)
            score = identity_score(movie.labels, movie.parents, found)
            took = (time.perf_counter() - start) / len(found)
            daughters = [n for n in (*score.kept, *score.lost) if n in movie.parents]
            own = sum(n in score.kept for n in daughters)
            count = len(score.kept) + len(score.lost)
            kept.setdefault(key, []).append(score.share)
            print(
                f"| {key.value} slice | {seed} | {count} | {100 * score.share:.0f} % | {score.invented} | "
                f"{own} of {len(daughters)} | {score.volumes:.2f} | {took:.0f} |",
                flush=True,
            )
    print(f"\nKept: {', '.join(f'{key.value} {100 * mean(own):.0f} %' for key, own in kept.items())}")


def main(
    data: Annotated[Path, typer.Argument(help="Folder with the annotated images.")],
    model: Annotated[str, typer.Option(help="Name or file of the model.")] = "nano",
    only: Annotated[str | None, typer.Option(help="depth or time")] = None,
    objects: Annotated[int | None, typer.Option(min=1, help="At most so many nuclei, drawn.")] = None,
    smooth: Annotated[list[float] | None, typer.Option(help="Smoothing in depth; may be repeated.")] = None,
    seeds: int = 3,
    volumes: int = 10,
    nuclei: int = 12,
    divisions: int = 2,
    threads: int = 1,
) -> None:
    """Print the tables."""
    torch.set_num_threads(threads)
    network = load_model(model, "cpu")
    if only in (None, "depth"):
        in_depth(data, network, objects, smooth or [1.0, 0.0])
    if only in (None, "time"):
        in_time(network, seeds, volumes, nuclei, divisions)


if __name__ == "__main__":
    typer.run(main)
