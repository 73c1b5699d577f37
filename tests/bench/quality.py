"""What a model reaches on real images: ``python tests/bench/quality.py DATA [--model nano] [--only NAME]``.

DATA is a folder with the annotated folders that `ROWS` names. Every figure stands beside its target and what
Otsu and watershed (images) or carrying masks by overlap (sequences) reach from the same prompts. Clicks as a
user would set them: the first in the middle of the object, each next in the middle of the largest error;
still images are seen through `FocusPredictor`, bodies in depth are followed by `TrackingPolicy.for_stacks`.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import torch
import typer

from napari_sam2 import Box, Click, FocusPredictor, ImagePredictor, VideoTracker, load_model, save_model
from napari_sam2.evaluation.baselines import CarriedByOverlap, OtsuPredictor
from napari_sam2.evaluation.clicks import ImageScore, click_through, worse
from napari_sam2.evaluation.methods import Focused, Follower, Image, Predictor, Tracked
from napari_sam2.evaluation.metrics import DAVIS, PRESENT, FrameRule, dataset_mean, mean
from napari_sam2.evaluation.objects import Choice, Prompting
from napari_sam2.evaluation.sequences import TrackScore, from_first_frame, from_middle_slice
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.smooth_frames import SmoothFrames
from napari_sam2.io.datasets import LabelledSequence, open_dataset
from napari_sam2.model.sam2 import SAM2

STILLS = "nuclei_2d_dsb2018"
PHASE = "cells_2d_phase_t98g"
NOISY = "nuclei_3d_gonuclear_1135"
REPEATS = 9
TIME = TrackingPolicy()


class CarriedOnSmooth(CarriedByOverlap):
    """The baseline on the frames that the network sees."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self._deviation = deviation

    def start(self, frames: Image) -> None:
        """Take a sequence, and smooth it where the network's is smoothed."""
        if self._deviation:
            smooth = SmoothFrames(frames, self._deviation)
            frames = np.stack([smooth[t] for t in range(len(smooth))])
        super().start(frames)


@dataclass(frozen=True)
class Figure:
    """A line of the table; `target` as in the words "at least" or "at most"."""

    text: str
    target: str
    count: int
    model: float
    baseline: float | None = None
    digits: int = 3

    def line(self) -> str:
        baseline = "" if self.baseline is None else f"{self.baseline:.{self.digits}f}"
        return f"| {self.text} | {self.count} | {self.target} | {self.model:.{self.digits}f} | {baseline} |"


@dataclass
class Bench:
    """The data, the model, and scores that several rows share."""

    data: Path
    model: SAM2
    objects: int | None
    baseline: bool
    _stills: dict[str, list[list[ImageScore]]] = field(default_factory=dict)

    def choice(self, least: int = 1, only: frozenset[int] | None = None) -> Choice:
        return Choice(least=least, most=self.objects, only=only)

    def stills(self, folder: str) -> list[list[ImageScore]]:
        """Scores of the model and the baseline, 3 clicks and a box each."""
        if folder not in self._stills:
            predictors: list[Predictor] = [Focused(self.model)]
            predictors += [OtsuPredictor()] if self.baseline else []
            sequences = open_dataset(self.data / folder)
            self._stills[folder] = [
                [score for one in sequences for score in self._image(predictor, one)]
                for predictor in predictors
            ]
        return self._stills[folder]

    def _image(self, predictor: Predictor, sequence: LabelledSequence) -> list[ImageScore]:
        start, scores = time.perf_counter(), []
        for score in click_through(predictor, sequence, choice=self.choice()):
            scores.append(score)
            tell(f"  {sequence.name}: {len(scores)} objects", end="\r")
        means = np.round(np.mean([score.clicks for score in scores], axis=0), 3).tolist()
        took = time.perf_counter() - start
        name = f"{type(predictor).__name__}, {sequence.name}"
        tell(f"  {name}: {len(scores)} objects, mean IoU {means}, {took:.0f} s")
        return scores

    def followers(self, policy: TrackingPolicy) -> list[Follower]:
        return [Tracked(self.model, policy), *([CarriedOnSmooth(policy.smooth)] if self.baseline else [])]

    def followed(
        self,
        folder: str,
        prompting: Prompting = Prompting.CLICK_1,
        choice: Choice | None = None,
        rule: FrameRule = PRESENT,
        with_f: bool = False,
        both_ways: bool = False,
        policy: TrackingPolicy = TIME,
    ) -> list[list[TrackScore]]:
        """Scores of the model and the baseline, of all objects of all sequences of a folder."""
        run = from_middle_slice if both_ways else from_first_frame
        every = []
        for follower in self.followers(policy):
            own: list[TrackScore] = []
            for sequence in open_dataset(self.data / folder):
                start, name = time.perf_counter(), f"{type(follower).__name__}, {folder}/{sequence.name}"
                advance = partial(_count, name, count(1))
                followed = run(follower, sequence, prompting, choice or self.choice(), advance)
                scores = followed.scores(rule, with_f)
                values = [s.volume if both_ways else s.frames.mean_j for s in scores]
                took = time.perf_counter() - start
                tell(f"  {name}: {len(scores)} objects, {np.round(values, 2).tolist()}, {took:.0f} s")
                own += scores
            every.append(own)
        return every


def _count(name: str, frames: Iterator[int]) -> None:
    tell(f"  {name}: {next(frames)} frames", end="\r")


def tell(text: str, end: str = "\n") -> None:
    """Progress goes to stderr; what is overwritten later only where somebody looks."""
    if end == "\n" or sys.stderr.isatty():
        print(f"\x1b[2K{text}" if sys.stderr.isatty() else text, end=end, file=sys.stderr, flush=True)


def _pair(values: list[float]) -> tuple[float, float | None]:
    return values[0], (values[1] if len(values) > 1 else None)


def _clicks(bench: Bench, folder: str, what: str, targets: dict[int, str], box: str | None) -> list[Figure]:
    scores = bench.stills(folder)
    number = len(scores[0])
    figures = [
        Figure(
            f"{what}, {k} click{'s' * (k > 1)}, mean IoU",
            target,
            number,
            *_pair([mean(s.clicks[k - 1] for s in own) for own in scores]),
        )
        for k, target in targets.items()
    ]
    if box is not None:
        boxes = _pair([mean(s.box for s in own if s.box is not None) for own in scores])
        figures.append(Figure(f"{what}, box, mean IoU", box, number, *boxes))
    return figures


def stills(bench: Bench) -> list[Figure]:
    """Nuclei of the Data Science Bowl."""
    targets = {1: "≥ 0.80", 2: "", 3: "≥ 0.86"}
    return _clicks(bench, STILLS, "nuclei on still images (Data Science Bowl 2018)", targets, "≥ 0.84")


def phase(bench: Bench) -> list[Figure]:
    """Cells in phase contrast."""
    return _clicks(bench, PHASE, "cells in phase contrast (T98G)", {1: "≥ 0.55", 3: "≥ 0.70"}, None)


def harm(bench: Bench) -> list[Figure]:
    """Objects that further clicks spoil."""
    both = [[*a, *b] for a, b in zip(bench.stills(STILLS), bench.stills(PHASE), strict=True)]
    shares = _pair([100 * worse(own) for own in both])
    return [Figure("objects worse after 3 clicks than after 1, %", "≤ 10", len(both[0]), *shares, digits=1)]


def movie(bench: Bench, folder: str) -> list[Figure]:
    """Clean tracks from one click on their first frame."""
    with (bench.data / folder / "tracks.csv").open() as file:
        clean = frozenset(
            int(next(iter(row.values()))) for row in csv.DictReader(file) if row["clean"] == "1"
        )
    scores = bench.followed(folder, choice=bench.choice(only=clean))
    means = _pair([mean(s.frames.mean_j for s in own) for own in scores])
    return [Figure(f"{folder}, one click on the first frame, mean J", "≥ 0.75", len(scores[0]), *means)]


def volume(bench: Bench, folder: str, least: int, target: str, smooth: float = 0.0) -> list[Figure]:
    """Bodies from one click on their middle slice."""
    policy = TrackingPolicy.for_stacks(smooth=smooth)
    scores = bench.followed(folder, choice=bench.choice(least), both_ways=True, policy=policy)
    means = _pair([mean(s.volume for s in own) for own in scores])
    over = f" over {least:,} voxels" if least > 1 else ""
    over += f", smoothed by {smooth:g} px" if smooth else ""
    return [Figure(f"{folder}{over}, one click, both ways, 3D IoU", target, len(scores[0]), *means)]


def davis(bench: Bench) -> list[Figure]:
    """Natural videos from the mask on their first frame."""
    scores = bench.followed("video_davis2016", Prompting.MASK, rule=DAVIS, with_f=True)
    sums = [dataset_mean([s.frames for s in own]) for own in scores]
    text, number = "car-shadow and libby (DAVIS 2016), mask on frame 1", len(scores[0])
    return [
        Figure(f"{text}, J&F", "≥ 0.45", number, *_pair([s.jf for s in sums])),
        Figure(f"{text}, J", "", number, *_pair([s.mean_j for s in sums])),
        Figure(f"{text}, F", "", number, *_pair([s.mean_f for s in sums])),
    ]


def size(bench: Bench) -> list[Figure]:
    """The weights as they are shipped, in half precision."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "weights.safetensors")
        save_model(bench.model, file, half=True)
        return [Figure("size of the weights, MB", "≤ 12", 1, file.stat().st_size / 1e6, digits=1)]


def speed(bench: Bench) -> list[Figure]:
    """Medians, after one run that does not count."""
    frames = moving_nuclei(frames=REPEATS + 8, height=512, width=512, objects=20, divisions=0, seed=0).images
    image, click = frames[0], Click(256, 256)
    predictor, focus = ImagePredictor(bench.model), FocusPredictor(bench.model)

    def first_focus() -> None:
        focus.set_image(image)
        focus.predict((click,))

    predictor.set_image(image)
    embed = _median(lambda: predictor.set_image(image))
    one = _median(lambda: predictor.predict([click], multimask=True))
    window = _median(first_focus, 3)
    tracker = VideoTracker(bench.model)
    state = tracker.start(frames)
    tracker.prompt(state, 0, 1, box=Box(236, 236, 276, 276))
    steps = tracker.propagate(state)
    for _ in range(7):  # memory is full from here on
        next(steps)
    follow = _median(lambda: next(steps))
    cores = f"{torch.get_num_threads()} threads on {len(os.sched_getaffinity(0))} cores"
    return [
        Figure(f"embed an image, ms ({cores})", "≤ 250", REPEATS, embed, digits=0),
        Figure("a click on it, ms", "≤ 50", REPEATS, one, digits=0),
        Figure("a first click through windows, with embedding them, ms", "", 3, window, digits=0),
        Figure("a tracked frame, 1 object, ms", "≤ 350", REPEATS, follow, digits=0),
    ]


def _median(act: Callable[[], object], repeats: int = REPEATS) -> float:
    act()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        act()
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))


ROWS: dict[str, Callable[[Bench], list[Figure]]] = {
    STILLS: stills,
    PHASE: phase,
    "worse": harm,
    "nuclei_2dt_mitocheck": partial(movie, folder="nuclei_2dt_mitocheck"),
    "nuclei_2dt_cancer_cell_migration": partial(movie, folder="nuclei_2dt_cancer_cell_migration"),
    NOISY: partial(volume, folder=NOISY, least=1, target="≥ 0.60", smooth=2),
    "neurons_em_gala": partial(volume, folder="neurons_em_gala", least=2000, target="≥ 0.35"),
    "video_davis2016": davis,
    "size": size,
    "speed": speed,
}


def main(
    data: Annotated[Path, typer.Argument(help="Folder with the annotated images.")],
    model: Annotated[str, typer.Option(help="Name or file of the model.")] = "nano",
    only: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(ROWS)}; may be repeated.")
    ] = None,
    objects: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many objects of each image or sequence, drawn with seed 0."),
    ] = None,
    baseline: Annotated[bool, typer.Option(help="Measure the classical ways, too.")] = True,
    threads: int = 2,
) -> None:
    """Print the table."""
    unknown = set(only or ()) - ROWS.keys()
    if unknown:
        raise typer.BadParameter(f"no row is called {sorted(unknown)[0]!r}; there are {', '.join(ROWS)}.")
    torch.set_num_threads(threads)
    bench = Bench(data, load_model(model), objects, baseline)
    figures = []
    for name in only or ROWS:
        tell(name)
        figures += ROWS[name](bench)
    drawn = "" if objects is None else f", at most {objects} objects of each image or sequence (seed 0)"
    print(f"Model {model}{drawn}\n\n| figure | objects | target | model | baseline |\n|---|---|---|---|---|")
    for figure in figures:
        print(figure.line())


if __name__ == "__main__":
    typer.run(main)
