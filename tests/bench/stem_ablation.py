"""Which stem trains more readily: ``python tests/bench/stem_ablation.py run``, then ``... report``.

The same small Hiera blocks behind patches or behind stacked 3 x 3 convolutions (Xiao et al. 2021) learn
which pixels of made images belong to an object, over learning rate x weight decay x {AdamW, SGD} x seeds.
`run` adds one line a run to a CSV and skips what is there already, so it can be stopped and started; `report`
makes the plot and prints the tables.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from napari_sam2.imaging.phantoms import textured_shapes
from napari_sam2.model.config import HieraConfig
from napari_sam2.model.hiera import Hiera

# Fixed before the grid was run; THRESHOLD after four runs of another seed, which reached 0.57 to 0.60.
SIDE, IMAGES, HELD_OUT = 64, 768, 128
STEPS, WARMUP, BATCH = 240, 24, 16
THRESHOLD = 0.5
SEEDS = (0, 1, 2)
# The last rate of each was added when the ones before turned out to be too low to make any run fail.
RATES = {"AdamW": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2), "SGD": (0.01, 0.03, 0.1, 0.3, 1.0)}
DECAYS = {"AdamW": (0.01, 0.2), "SGD": (1e-4, 1e-3)}
# One block of the third stage is given up for the convolutions, as in the paper, so that both cost the same.
STEMS = {
    "patchify": HieraConfig(24, 1, (1, 1, 2, 1), (3,), (8, 4, 4, 2), (4, 4)),
    "conv": HieraConfig(24, 1, (1, 1, 1, 1), (2,), (8, 4, 4, 2), (4, 4), 0.0, "conv", (20, 40)),
}
COLORS = {"patchify": "#d95f02", "conv": "#1b6ca8"}
DOCS = Path(__file__).parents[2] / "docs" / "explain"

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Setting:
    """One point of the grid."""

    optimizer: str
    rate: float
    decay: float
    seed: int
    stem: str


@dataclass(frozen=True)
class Outcome:
    """What one run came to: IoU on held-out images, and the loss of the last tenth; NaN if it diverged."""

    iou: float
    loss: float


class Segmenter(nn.Module):
    """The trunk and a linear head: every token of every stage has a say in its pixels' logits."""

    def __init__(self, config: HieraConfig) -> None:
        super().__init__()
        self.trunk = Hiera(config)
        self.heads = nn.ModuleList(nn.Conv2d(width, 16, kernel_size=1) for width in config.widths)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits (b, s, s) for `pixels` (b, 3, s, s)."""
        maps = self.trunk(pixels)
        size = maps[0].shape[-2:]
        votes = [
            F.interpolate(head(x), size, mode="bilinear") for head, x in zip(self.heads, maps, strict=True)
        ]
        return F.pixel_shuffle(torch.stack(votes).sum(dim=0), 4)[:, 0]


def grid() -> Iterator[Setting]:
    """Both stems of a setting in turn, seed by seed, so that an early stop is balanced."""
    for seed, (optimizer, rates) in product(SEEDS, RATES.items()):
        for rate, decay, stem in product(rates, DECAYS[optimizer], STEMS):
            yield Setting(optimizer, rate, decay, seed, stem)


def scenes(count: int, first: int) -> tuple[Tensor, Tensor]:
    """Made images (n, 3, s, s) of mean 0 and deviation 1, and where their objects are (n, s, s)."""
    phantoms = [textured_shapes(SIDE, SIDE, objects=4, seed=seed) for seed in range(first, first + count)]
    images = np.stack([phantom.images[0] for phantom in phantoms]).astype(np.float32)
    images -= images.mean(axis=(1, 2), keepdims=True)
    images /= images.std(axis=(1, 2), keepdims=True)
    truth = np.stack([phantom.labels[0] > 0 for phantom in phantoms])
    return torch.from_numpy(images)[:, None].expand(-1, 3, -1, -1), torch.from_numpy(truth)


def train(setting: Setting, images: Tensor, truth: Tensor, held_out: tuple[Tensor, Tensor]) -> Outcome:
    """Train one network with a warm-up and a cosine, without clipping, and look at the held-out images."""
    torch.manual_seed(setting.seed)
    model = Segmenter(STEMS[setting.stem]).train()
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": setting.decay},
        {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer: torch.optim.Optimizer
    if setting.optimizer == "AdamW":
        optimizer = torch.optim.AdamW(groups, lr=setting.rate)
    else:
        optimizer = torch.optim.SGD(groups, lr=setting.rate, momentum=0.9)
    # The order of the images and their turns do not depend on the network.
    rng = np.random.default_rng(setting.seed)
    losses = []
    for step in range(STEPS):
        rising = min(1.0, (step + 1) / WARMUP)
        for group in optimizer.param_groups:
            group["lr"] = setting.rate * rising * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        chosen = torch.from_numpy(rng.choice(len(images), BATCH, replace=False))
        quarter, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        pixels, target = (
            torch.rot90(x.flip(-1) if mirrored else x, quarter, (-2, -1))
            for x in (images[chosen], truth[chosen])
        )
        loss = F.binary_cross_entropy_with_logits(model(pixels), target.float())
        if not torch.isfinite(loss):
            return Outcome(0.0, math.nan)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return Outcome(score(model, *held_out), float(np.mean(losses[-STEPS // 10 :])))


@torch.no_grad()
def score(model: nn.Module, images: Tensor, truth: Tensor) -> float:
    """Mean IoU over images; 0 if the network no longer answers with numbers."""
    logits = model.eval()(images)
    if not logits.isfinite().all():
        return 0.0
    found = logits > 0
    either = (found | truth).flatten(1).sum(dim=1).clamp(min=1)
    return float(((found & truth).flatten(1).sum(dim=1) / either).mean())


def read(path: Path) -> dict[Setting, Outcome]:
    """Runs that are done, by their setting."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {
            Setting(row["optimizer"], float(row["rate"]), float(row["decay"]), int(row["seed"]), row["stem"]):
            Outcome(float(row["iou"]), float(row["loss"]))
            for row in csv.DictReader(file)
        }  # fmt: skip


@app.command()
def run(path: Annotated[Path, typer.Argument(help="CSV to add to.")] = DOCS / "stem.csv") -> None:
    """Run what of the grid is not in the CSV yet."""
    torch.set_num_threads(1)
    done = read(path)
    images, truth = scenes(IMAGES, first=HELD_OUT)
    held_out = scenes(HELD_OUT, first=0)
    if not path.exists():
        with path.open("w", newline="") as file:
            csv.writer(file).writerow([f.name for kind in (Setting, Outcome) for f in fields(kind)])
    for setting in tqdm([setting for setting in grid() if setting not in done]):
        outcome = train(setting, images, truth, held_out)
        with path.open("a", newline="") as file:
            csv.writer(file).writerow([*astuple(setting), f"{outcome.iou:.4f}", f"{outcome.loss:.4f}"])


@app.command()
def report(path: Annotated[Path, typer.Argument(help="CSV of `run`.")] = DOCS / "stem.csv") -> None:
    """Write the plot beside the CSV and print the tables."""
    done = read(path)
    missing = sum(setting not in done for setting in grid())
    print(f"{len(done)} runs, {missing} missing\n")
    costs()
    by_optimizer(done)
    by_rate(done)
    by_pair(done)
    plot(done, path.with_suffix(".png"))


def costs() -> None:
    """Print what each network costs."""
    rows = []
    for name, config in STEMS.items():
        trunk = Hiera(config).eval()
        count = sum(p.numel() for p in trunk.parameters())
        stem, whole = flops(trunk.patch_embed), flops(trunk)
        rows.append([name, len(trunk.blocks), f"{count:,}", f"{stem:.1f}", f"{whole:.1f}"])
    table(["stem", "blocks", "parameters", "MFLOPs, stem", "MFLOPs, trunk"], rows)


def flops(module: nn.Module) -> float:
    """Millions of multiplications and additions for one image."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.zeros(1, 3, SIDE, SIDE))
    return int(counter.get_total_flops()) / 1e6


def by_optimizer(done: dict[Setting, Outcome]) -> None:
    """Print the share of runs that converged and what they reached."""
    rows = []
    for optimizer in RATES:
        for stem in STEMS:
            ious = of(done, optimizer=optimizer, stem=stem)
            low, middle, high = (f"{value:.3f}" for value in np.quantile(ious, (0.25, 0.5, 0.75)))
            converged = ious >= THRESHOLD
            share = f"{converged.sum()} of {len(ious)} ({converged.mean():.0%})"
            rows.append([optimizer, stem, share, middle, f"{low} to {high}", f"{ious.max():.3f}"])
    table(["optimiser", "stem", "converged", "median IoU", "middle half", "best"], rows)


def by_rate(done: dict[Setting, Outcome]) -> None:
    """Print the mean over decays and seeds for every learning rate."""
    for optimizer, rates in RATES.items():
        rows = []
        for stem in STEMS:
            cells = []
            for rate in rates:
                ious = of(done, optimizer=optimizer, stem=stem, rate=rate)
                cells.append(f"{ious.mean():.3f} ({(ious >= THRESHOLD).sum()} of {len(ious)})")
            rows.append([stem, *cells])
        table([f"{optimizer}, learning rate", *(f"{rate:g}" for rate in rates)], rows)


def by_pair(done: dict[Setting, Outcome]) -> None:
    """Print how the two stems differ where all else is equal."""
    rows = []
    for optimizer in RATES:
        gains = []
        for setting, outcome in done.items():
            other = done.get(replace(setting, stem="patchify"))
            if setting.optimizer == optimizer and setting.stem == "conv" and other is not None:
                gains.append(outcome.iou - other.iou)
        gain = np.array(gains)
        ends = f"{gain.min():+.3f} to {gain.max():+.3f}"
        ahead, equal = (gain > 0).sum(), (gain == 0).sum()
        rows.append([optimizer, f"{ahead} of {len(gain)} ({equal} equal)", f"{np.median(gain):+.3f}", ends])
    table(["optimiser", "conv ahead", "median difference", "from, to"], rows)


def table(header: list[str], rows: list[list[Any]]) -> None:
    """Print a table in Markdown."""
    for row in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(map(str, row))} |")
    print()


def of(done: dict[Setting, Outcome], **wanted: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """IoU of the runs whose settings have these values."""
    chosen = [o.iou for s, o in done.items() if all(getattr(s, name) == v for name, v in wanted.items())]
    return np.array(chosen, dtype=np.float64)


def plot(done: dict[Setting, Outcome], path: Path) -> None:
    """Write one picture: every run by its learning rate, and the mean of each stem."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.4), layout="constrained")
    axes = figure.subplots(1, len(RATES), sharey=True)
    for axis, (optimizer, rates) in zip(axes, RATES.items(), strict=True):
        # A little apart, so that the dots of one stem do not hide those of the other.
        for (stem, color), apart in zip(COLORS.items(), (1 / 1.08, 1.08), strict=True):
            for decay, marker in zip(DECAYS[optimizer], "o^", strict=True):
                runs = [(s.rate * apart, o.iou) for s, o in done.items()
                        if (s.optimizer, s.stem, s.decay) == (optimizer, stem, decay)]  # fmt: skip
                axis.plot(*zip(*runs, strict=True), marker, color=color, ms=4, alpha=0.6, mew=0)
            means = [of(done, optimizer=optimizer, stem=stem, rate=rate).mean() for rate in rates]
            axis.plot([rate * apart for rate in rates], means, color=color, label=stem)
        axis.axhline(THRESHOLD, color="0.6", lw=0.8, ls=":")
        decays = ", ".join(f"{decay:g}" for decay in DECAYS[optimizer])
        axis.set(xscale="log", ylim=(0, 0.8), xlabel="learning rate", title=f"{optimizer}, decay {decays}")
        axis.set_xticks(rates, [f"{rate:g}" for rate in rates])
        axis.minorticks_off()
    axes[0].set_ylabel("IoU on held-out images")
    axes[0].legend(loc="lower left", frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    app()
