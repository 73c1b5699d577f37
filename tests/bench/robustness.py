"""What nano loses under corruptions, and how near its training comes to them: ``robustness.py DATA``.

DATA is a folder with the annotated folders that `IMAGES` and `MOVIES` name. Two CSV files are written line by
line (what they hold already is not measured again), then the plot and the tables of
docs/explain/robustness.md.

Small on purpose, an hour of one core: a few objects of each recording, the first frames of two movies, a
hundred and fifty draws of the training's augmentations on eight pictures.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from scipy.stats import spearmanr

from napari_sam2 import load_model
from napari_sam2.evaluation.clicks import ImagePrompts
from napari_sam2.evaluation.distance import Features, FeatureSpace, minimal_sample_distance
from napari_sam2.evaluation.evaluate import EvaluationProtocol, Settings
from napari_sam2.evaluation.metrics import DAVIS, mean
from napari_sam2.evaluation.objects import Choice, Prompting
from napari_sam2.evaluation.robustness import Drop, robustness, table
from napari_sam2.imaging.corruptions import SEVERITIES, Corruption, as_light, corrupt
from napari_sam2.io.datasets import LabelledSequence, open_dataset
from napari_sam2.model.sam2 import SAM2
from napari_sam2.training import augment_clips as augment

IMAGES = "nuclei_2d_dsb2018"
MOVIES = ("nuclei_2dt_mitocheck", "nuclei_2dt_cancer_cell_migration")
IOU, JF = "IoU after 1 click", "J&F, 1-click"
FEWER = (1, 3, 5)
"""Severities where five would take too long: of what is followed, and of what flaws change."""

SAMPLES = 2
"""Draws of a corruption whose features are averaged."""

FLAWS = (Corruption.STRIPES, Corruption.SATURATION, Corruption.BLEACHING, Corruption.CONTRAST)
"""What `training.flaws` is made for."""

BLURRED = 0.04
"""The share of clips of which the training blurs a frame strongly."""


@dataclass(frozen=True)
class Near:
    """How far a corruption lies from the clean pictures, and from the nearest draw of the training."""

    corruption: str
    severity: int
    from_clean: float
    msd: float


@dataclass(frozen=True)
class Bench:
    """The sample."""

    data: Path
    model: SAM2
    objects: int
    frames: int
    draws: int

    def images(self) -> list[LabelledSequence]:
        return open_dataset(self.data / IMAGES)

    def movies(self) -> list[LabelledSequence]:
        found = [one for folder in MOVIES for one in open_dataset(self.data / folder)]
        return [_cut(one, self.frames) for one in found]

    def drops(self, done: set[tuple[str, str]]) -> Iterator[Drop]:
        """IoU of objects in images, seen as wholes, and J&F of objects in movies, one click each."""
        choice = Choice(most=self.objects)
        clicks = Settings(choice=choice, image_prompts=ImagePrompts(1, box=False), focus=False)
        follow = Settings(choice=choice, prompting=Prompting.CLICK_1, rule=DAVIS)
        for protocol, settings, sequences, figure, severities in (
            (EvaluationProtocol.CLICKS, clicks, self.images(), IOU, SEVERITIES),
            (EvaluationProtocol.FIRST_FRAME, follow, self.movies(), JF, FEWER),
        ):
            left = [one for one in Corruption if (one.value, figure) not in done]
            if left:
                found = robustness(self.model, sequences, protocol, settings, left, severities)
                yield from (drop for drop in found if drop.figure == figure)

    def nearness(self, done: set[str], flawed: bool = False) -> Iterator[Near]:
        """Distances in the features of the network itself; with `training.flaws` in every draw, or in none.

        With flaws, half as many draws and fewer severities.
        """
        wanted, severities = (FLAWS, FEWER) if flawed else (tuple(Corruption), SEVERITIES)
        left = [one for one in wanted if not one.needs_frames and one.value not in done]
        if not left:
            return
        space = FeatureSpace(self.model)
        read = [one.read() for one in (*self.images()[::2], *self.movies())]
        stills = [(images[:1], labels[:1]) for images, labels in read]
        clean = space.mean(_shown(corrupt(*still, None).images) for still in stills)
        size = self.model.config.image_size
        trained = []
        draws = self.draws // 2 if flawed else self.draws
        for draw in range(draws):
            trained.append(space.mean(_augmented(still[0], size, draw, float(flawed)) for still in stills))
            tell(f"draw {draw + 1} of {draws}")
        for corruption in left:
            for severity in severities:
                spoilt = [_features(space, stills, corruption, severity, seed) for seed in range(SAMPLES)]
                apart = float(np.linalg.norm(np.mean(spoilt, axis=0) - clean))
                yield Near(corruption.value, severity, apart, minimal_sample_distance(trained, spoilt))
            tell(f"features of {corruption.value}")


def _cut(sequence: LabelledSequence, frames: int) -> LabelledSequence:
    def read() -> tuple[Any, Any]:
        images, labels = sequence.read()
        return images[:frames], labels[:frames]

    known = sequence.annotated
    return replace(sequence, read=read, annotated=known and tuple(t for t in known if t < frames))


def _shown(images: np.ndarray) -> np.ndarray:
    """The first frame as the network is shown it."""
    light = as_light(images)[0]
    return light if light.ndim == 3 else np.repeat(light[..., None], 3, axis=-1)


def _features(
    space: FeatureSpace, stills: list[Any], corruption: Corruption, severity: int, seed: int
) -> Features:
    return space.mean(_shown(corrupt(*still, corruption, severity, seed).images) for still in stills)


def _augmented(images: np.ndarray, size: int, draw: int, flaws: float) -> np.ndarray:
    """What the training does to the pixels of a frame: the same numbers for every picture of a draw.

    Crops and turns stay away, as in the paper: they belong to what the network is trained with in any case,
    and a crop moves the mean features further than anything else.
    """
    rng = np.random.default_rng(draw)
    height, width = images.shape[1:3]
    ramp = (np.arange(size, dtype=np.float32) + 0.5) / size
    grid = np.stack(np.meshgrid(ramp * height, ramp * width, indexing="ij"), axis=-1)[None]
    plane = np.rint(as_light(images)[0] * 255).astype(np.uint8)
    seen = augment.sample_images([plane], 0, grid.astype(np.float32))
    if rng.random() < BLURRED:
        seen = augment.blur(seen, size * rng.uniform(0.01, 0.035))  # as `disturb` does
    return augment.restain(rng, seen, flaws)[0]


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def keep(path: Path, kind: type, rows: Iterator[Any]) -> None:
    """Add rows to a table, each as soon as it is there."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        if new:
            lines.writerow([field.name for field in fields(kind)])
        for row in rows:
            values = astuple(row)
            lines.writerow([f"{value:.4f}" if isinstance(value, float) else value for value in values])
            file.flush()
            tell(" ".join(map(str, values)))


def _only_whole(path: Path, kind: Any) -> list[Any]:
    """Leave in a table the corruptions that were measured to the last severity, and return their rows."""
    rows = load(path, kind)
    ends = {(r.corruption, getattr(r, "figure", "")) for r in rows if r.severity == SEVERITIES[-1]}
    whole = [r for r in rows if (r.corruption, getattr(r, "figure", "")) in ends]
    if len(whole) < len(rows):
        path.unlink()
        keep(path, kind, iter(whole))
    return whole


def load(path: Path, kind: Any) -> list[Any]:
    if not path.exists():
        return []
    kinds = {"str": str, "int": int, "float": float}
    with path.open(encoding="utf-8") as file:
        return [kind(*(kinds[f.type](row[f.name]) for f in fields(kind))) for row in csv.DictReader(file)]


@dataclass(frozen=True)
class Pair:
    """A corruption of one severity, or the mean of several: where it lies, and what it costs."""

    corruption: str
    severity: int
    msd: float
    from_clean: float
    drop: float

    @property
    def far(self) -> bool:
        return Corruption(self.corruption).far


def pairs(near: list[Near], drops: list[Drop], figure: str) -> list[Pair]:
    lost = {(d.corruption, d.severity): d.drop for d in drops if d.figure == figure}
    return [
        Pair(n.corruption, n.severity, n.msd, n.from_clean, lost[n.corruption, n.severity])
        for n in near
        if (n.corruption, n.severity) in lost
    ]


def means(every: list[Pair]) -> list[Pair]:
    """One pair a corruption, over its severities; the severity is 0."""
    found = []
    for name in dict.fromkeys(pair.corruption for pair in every):
        own = [pair for pair in every if pair.corruption == name]
        values = (mean(getattr(p, part) for p in own) for part in ("msd", "from_clean", "drop"))
        found.append(Pair(name, 0, *values))
    return found


def ranks(near: list[Near], drops: list[Drop]) -> list[str]:
    """Rank correlations of the distances with the drops, as lines of a table."""
    lines = ["| drop in | over | n | MSD | distance from clean |", "|---|---|---|---|---|"]
    for figure in (IOU, JF):
        every = pairs(near, drops, figure)
        for name, rows in (
            ("each severity", every),
            ("each severity of the microscope's", [pair for pair in every if not pair.far]),
            ("each severity of the far set", [pair for pair in every if pair.far]),
            ("means of severities", means(every)),
        ):
            own = [pair.drop for pair in rows]
            msd = spearmanr([pair.msd for pair in rows], own).statistic
            apart = spearmanr([pair.from_clean for pair in rows], own).statistic
            lines.append(f"| {figure} | {name} | {len(rows)} | {msd:.2f} | {apart:.2f} |")
    return lines


def overview(near: list[Near], drops: list[Drop]) -> list[str]:
    """Every corruption with its mean drops and distances."""
    lines = [
        "| corruption | set | drop in IoU | drop in J&F | MSD | distance from clean |",
        "|---|---|---|---|---|---|",
    ]
    rows = []
    for one in Corruption:
        lost = [mean(d.drop for d in drops if d.corruption == one.value and d.figure == f) for f in (IOU, JF)]
        own = [n for n in near if n.corruption == one.value]
        rows.append((lost, one, mean(n.msd for n in own), mean(n.from_clean for n in own)))
    for lost, one, msd, apart in sorted(rows, key=lambda row: -row[0][1]):
        cells = ["" if value != value else f"{value:.3f}" for value in lost]
        cells += ["" if value != value else f"{value:.2f}" for value in (msd, apart)]
        lines.append(f"| {one.value} | {'far' if one.far else 'microscope'} | " + " | ".join(cells) + " |")
    return lines


def closer(near: list[Near], flawed: list[Near]) -> list[str]:
    """What `training.flaws` changes in the distances."""
    lines = ["| corruption | MSD | MSD with flaws in every clip |", "|---|---|---|"]
    for one in FLAWS:
        before, after = (
            mean(n.msd for n in rows if n.corruption == one.value and n.severity in FEWER)
            for rows in (near, flawed)
        )
        lines.append(f"| {one.value} | {before:.2f} | {after:.2f} |")
    return lines


def plot(path: Path, near: list[Near], drops: list[Drop]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    for place, (name, axes) in enumerate(zip((IOU, JF), figure.subplots(1, 2, sharey=True), strict=True)):
        every = pairs(near, drops, name)
        for far, color, label in ((False, "#0072b2", "microscope"), (True, "#d55e00", "far set")):
            own = [pair for pair in every if pair.far is far]
            x, y, sizes = zip(*((p.msd, p.drop, 6 + 6 * p.severity) for p in own), strict=True)
            axes.scatter(x, y, s=sizes, color=color, alpha=0.6, label=label, lw=0)
            for pair in own:
                if pair.severity == SEVERITIES[-1]:
                    axes.annotate(pair.corruption, (pair.msd, pair.drop), fontsize=5)
        axes.axhline(0, color="0.7", lw=0.8)
        axes.set(
            title=f"drop in {name}",
            xlabel="Minimal Sample Distance to the training",
            ylabel="" if place else "drop",
        )
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=130)


def main(
    data: Annotated[Path, typer.Argument(help="Folder with the annotated images.")],
    out: Annotated[Path, typer.Option(help="Where the tables and the plot go.")] = Path("docs/explain"),
    model: Annotated[str, typer.Option(help="Name or file of the model.")] = "nano",
    objects: Annotated[int, typer.Option(min=1, help="Of each image or movie, drawn with seed 0.")] = 3,
    frames: Annotated[int, typer.Option(min=3, help="Of each movie.")] = 8,
    draws: Annotated[int, typer.Option(min=1, help="Of the training's augmentations.")] = 150,
    threads: int = 1,
) -> None:
    """Measure what is not measured yet, and print the tables."""
    torch.set_num_threads(threads)
    bench = Bench(data, load_model(model), objects, frames, draws)
    far_file, drop_file = out / "robustness_msd.csv", out / "robustness.csv"
    flaw_file = out / "robustness_flaws.csv"
    # What was stopped within a corruption is measured again as a whole.
    whole = _only_whole(far_file, Near), _only_whole(drop_file, Drop)
    keep(far_file, Near, bench.nearness({n.corruption for n in whole[0]}))
    keep(drop_file, Drop, bench.drops({(d.corruption, d.figure) for d in whole[1]}))
    flawed = {n.corruption for n in _only_whole(flaw_file, Near)}
    keep(flaw_file, Near, bench.nearness(flawed, flawed=True))
    near, drops = load(far_file, Near), load(drop_file, Drop)
    plot(out / "robustness.png", near, drops)
    nearer = closer(near, load(flaw_file, Near))
    for lines in (overview(near, drops), ranks(near, drops), nearer, [table(drops, IOU)], [table(drops, JF)]):
        print("\n".join(lines) + "\n")


if __name__ == "__main__":
    typer.run(main)
