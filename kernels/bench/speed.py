"""Ours beside `transformers`: the encoder alone, many prompts on one image, and one frame of a video.

The same weights, the same inputs, in turn in one process. Run it from a checkout with
``pip install -e .[bench]``::

    python -m bench.speed --objects 1 4 16 --repeats 2 --threads 1 --csv docs/explain/speed.csv
    python -m bench.tables docs/explain/speed.csv docs/explain/speed.md
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor

from bench.many_prompts import Prompts
from bench.propagated_frame import Bank, Ours, Theirs, check, random_model
from bench.transformers_weights import transformers_model
from bench.turns import Case, Run, Timing, processor, take_turns, write_csv
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.pixels import to_model_pixels
from napari_sam2.inference.runtime import Precision, prepare
from napari_sam2.model.config import ModelConfig, released
from napari_sam2.model.sam2 import SAM2

OURS, OURS_HALF = "ours float32", "ours bfloat16"
THEIRS, THEIRS_HALF = "transformers float32", "transformers bfloat16"
MANY = 16
"""From so many objects on one repeat has to do."""


class Sides:
    """Both networks, in both number formats."""

    def __init__(self, config: ModelConfig, seed: int) -> None:
        self.config = config
        self.plain = random_model(config, seed)
        self.other = transformers_model(config, self.plain.to_official())
        self.ours: dict[str, SAM2] = {OURS: prepare(self.plain, Precision.FLOAT32).model}
        half = prepare(self.plain, Precision.BFLOAT16)
        if half.precision is Precision.BFLOAT16:
            self.ours[OURS_HALF] = half.model
        for line in half.done:
            print(line)
        shape = (config.image_size, config.image_size, 3)
        self.image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        rgb = IntensityMap.identity()(self.image)
        self.pixels = to_model_pixels(rgb, config.image_size, self.plain.device)

    def _in_both(self, make: Callable[[], Run]) -> dict[str, Run]:
        """Theirs, plain and under autocast; `make` returns a run, fresh every time."""
        plain, half = make(), make()

        def cast() -> Any:
            with torch.autocast("cpu", torch.bfloat16):
                return half()

        return {THEIRS: plain, THEIRS_HALF: cast} if OURS_HALF in self.ours else {THEIRS: plain}

    def encoder(self) -> Case:
        """Encode an image."""
        own: dict[str, Run] = {who: partial(model.encode, self.pixels) for who, model in self.ours.items()}
        both = own | self._in_both(lambda: partial(self.other.get_image_features, self.pixels))
        return lambda: both

    def prompts(self, count: int, seed: int) -> Case:
        """Decode prompts on one image."""
        embedding = self.plain.encode(self.pixels)
        features = self.plain.recall(embedding, None)
        prompts = Prompts(count, self.config.image_size, seed)
        runs: dict[str, Run] = {
            who: partial(prompts.ours, model, embedding, features) for who, model in self.ours.items()
        }
        runs |= self._in_both(lambda: partial(prompts.theirs, self.other, embedding, features))
        self._compare({who: run() for who, run in runs.items()})
        return lambda: runs

    def frame(self, objects: int, seed: int) -> Case:
        """Propagate objects to one frame, their memories full."""
        bank = Bank.random(self.config, objects, seed)
        ours = {who: Ours(model, self.image) for who, model in self.ours.items()}
        theirs = Theirs(self.other, self.pixels, self.config)
        if objects < MANY:
            exact = ours[OURS].outcome(ours[OURS].run(ours[OURS].state(bank)))
            truth = theirs.outcome(theirs.run(theirs.state(bank)))
            print(f"{objects} object(s): {check(exact, truth)}")
            found = {who: own.outcome(own.run(own.state(bank))).logits for who, own in ours.items()}
            halves = self._in_both(lambda: partial(theirs.run, theirs.state(bank)))
            found |= {who: theirs.outcome(run()).logits for who, run in halves.items()}
            self._compare(found)

        def fresh() -> Mapping[str, Run]:
            # A state remembers its frame's embedding: each run has one of its own.
            runs: dict[str, Run] = {who: partial(own.run, own.state(bank)) for who, own in ours.items()}
            return runs | self._in_both(lambda: partial(theirs.run, theirs.state(bank)))

        return fresh

    def _compare(self, logits: Mapping[str, Tensor]) -> None:
        truth = logits[THEIRS]
        off = {who: float((own.float() - truth).norm() / truth.norm()) for who, own in logits.items()}
        line = ", ".join(f"{who} {error:.1e}" for who, error in off.items() if who != THEIRS)
        print(f"  relative error of the logits against {THEIRS}: {line}", flush=True)
        if off[OURS] > 1e-5:
            raise SystemExit("The two do not compute the same: nothing is timed.")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Ours beside transformers.")
    parser.add_argument("--objects", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--prompts", type=int, nargs="*", default=[1, 16])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--size", default="tiny", choices=["tiny", "small", "base_plus", "large"])
    parser.add_argument("--image-size", type=int, default=1024, help="smaller for a quick look")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path)
    return parser.parse_args()


def main() -> None:
    """Compare, time, report."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    config = replace(released(f"sam2.1_hiera_{args.size}"), image_size=args.image_size)
    machine = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpu": processor(),
        "threads": args.threads,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "model": f"sam2.1_hiera_{args.size}",
        "image_size": config.image_size,
    }
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    sides = Sides(config, args.seed)
    turns: list[Timing] = []

    def measure(name: str, case: Case, repeats: int, warm_up: bool = False) -> None:
        turns.extend(take_turns(name, case, repeats, warm_up))
        if args.csv:  # after every case, since the last ones take long
            write_csv(args.csv, machine, turns)

    measure("encoder alone", sides.encoder(), args.repeats, warm_up=True)
    for count in args.prompts:
        name = f"{count} prompt{'s' * (count > 1)} on one embedding"
        measure(name, sides.prompts(count, args.seed), 2 * args.repeats)
    for objects in args.objects:
        name = f"one frame, {objects} object{'s' * (objects > 1)}"
        measure(name, sides.frame(objects, args.seed), args.repeats if objects < MANY else 1)


if __name__ == "__main__":
    main()
