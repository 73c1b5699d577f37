"""The plain loop: clips in, weights out; killed at any time, it goes on as if nothing had been."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from napari_sam2.errors import StorageError
from napari_sam2.inference.pixels import DEVIATION, MEAN
from napari_sam2.model.config import ModelConfig
from napari_sam2.model.sam2 import SAM2
from napari_sam2.model.values import ImageEmbedding
from napari_sam2.training.checkpoint import State, load_state, save_state
from napari_sam2.training.config import TrainConfig
from napari_sam2.training.dense_head import DenseHead
from napari_sam2.training.losses import LossWeights
from napari_sam2.training.metrics import MetricsTable, StepScore
from napari_sam2.training.optim import optimizer_for, prepare, rate_at
from napari_sam2.training.prompting import draw_plan
from napari_sam2.training.ranks import Ranks
from napari_sam2.training.rollout import rollout
from napari_sam2.training.warm_start import learn_where_clicks_are

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
Clips = Callable[[int], Iterator[Batch]] | Iterator[Batch]
Weights = dict[str, Tensor]

METRICS = "metrics.csv"


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step that is done, out of `steps`; seconds left as the last steps suggest."""

    step: int
    steps: int
    score: StepScore
    steps_a_second: float

    @property
    def seconds_left(self) -> float:
        """How long the rest of the stage will take."""
        return (self.steps - self.step) / max(self.steps_a_second, 1e-9)


class Stage:
    """One stage of training: network, optimizer and averaged weights, from the last checkpoint on.

    Everything that is drawn at random depends on the seed and the number of the step alone. So there is no
    generator's state to store, and a stage that is killed and started again gives the same curve to the bit.

    Parameters
    ----------
    weights
        Official state dict to start from; None for fresh weights.
    network
        The network; its image size is replaced by the stage's.
    config
        The stage.
    out
        Folder of its checkpoints and its `metrics.csv`.
    device
        Where to train.
    ranks
        This process among those of torchrun; only the first one writes.

    Raises
    ------
    StorageError
        The folder holds another stage, or its checkpoints are damaged.
    """

    def __init__(
        self,
        weights: Weights | None,
        network: ModelConfig,
        config: TrainConfig,
        out: Path,
        device: str = "cpu",
        ranks: Ranks | None = None,
    ) -> None:
        self.config, self.out, self.device = config, out, device
        self.ranks = ranks or Ranks()
        self.step = 0
        self._pending: list[StepScore] = []
        torch.manual_seed(config.seed)
        self.model = SAM2(replace(network, image_size=config.size)).to(device)
        self.head = DenseHead(network.width // 8).to(device)
        state = load_state(out)
        if state is None and weights is not None:
            self.model.load_official(weights)
        elif state is None:
            self.model.train()
            learn_where_clicks_are(self.model, config.warm_start, config.warm_rate)
        prepare(self.model, config.parts, config.batch_norm)
        self._optimizer = optimizer_for(self.model, self.head, config)
        self.average = {name: tensor.detach().clone() for name, tensor in self.model.to_official().items()}
        if state is not None:
            self._resume(state)

    @property
    def done(self) -> bool:
        """Whether all steps are made."""
        return self.step >= self.config.steps

    def save(self) -> None:
        """Write a checkpoint: everything that the rest of the stage depends on."""
        state: State = {
            "model": self.average,
            "stage": repr(self.config),
            "step": self.step,
            "network": self.model.state_dict(),
            "head": self.head.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "pending": [asdict(score) for score in self._pending],
        }
        save_state(state, self.out)

    def run(self, clips: Clips, save_seconds: float = 60.0) -> Iterator[StepReport]:
        """Make the steps that remain, yielding after each; a checkpoint every so often and at the end.

        Parameters
        ----------
        clips
            Called with the first step, returns an iterator of images (b, t, 3, s, s), masks
            (b, t, o, s, s), valid (b, o) and classes (b, s, s); or such an iterator from step 0 on.
        save_seconds
            Time between checkpoints. One that fails for want of space is announced by a warning and tried
            again, except for the last.

        Raises
        ------
        StorageError
            The last checkpoint or the table of metrics could not be written.
        """
        first, config = self.ranks.first, self.config
        if first:
            _make(self.out)
        path = self.out / METRICS if first else Path("/dev/null")
        saved = begun = time.monotonic()
        start, rate = self.step, 0.0
        if self.done:
            return
        stream = clips(self.step) if callable(clips) else islice(clips, self.step, None)
        with MetricsTable(path, config.size, config.frames, self.step, self._pending, config.report) as table:
            self._pending = table.pending
            if first and self.step == 0:
                self.save()
            for batch in islice(stream, config.steps - self.step):
                rate = rate_at(self.step, config)
                score = self._advance(batch, rate)
                table.add(self.step, rate, score)
                now = time.monotonic()
                if first and now - saved > save_seconds and not self.done:
                    table.sync()
                    self._try_to_save()
                    saved = now
                yield StepReport(self.step, config.steps, score, (self.step - start) / max(now - begun, 1e-9))
            table.row(self.step, rate)
            if first:
                table.sync()
                self.save()
        self.ranks.wait()

    def seconds_a_step(self, clips: Clips, trials: int = 3) -> float:
        """Time a few steps that change nothing on disk; the first one warms up and does not count."""
        stream = clips(self.step) if callable(clips) else clips
        begun = time.monotonic()
        for k, batch in enumerate(islice(stream, trials + 1)):
            self._advance(batch, 0.0)
            begun = time.monotonic() if k == 0 else begun
        return max((time.monotonic() - begun) / trials, 1e-4)

    def _advance(self, batch: Batch, rate: float) -> StepScore:
        """Make one step."""
        config = self.config
        key = np.random.SeedSequence([config.seed, self.step, self.ranks.rank])
        torch.manual_seed(int(key.generate_state(1)[0]))
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        loss, first, tracked = _forward(self.model, self.head, batch, config, self.device)
        learning = [p for group in self._optimizer.param_groups for p in group["params"]]
        self._optimizer.zero_grad(set_to_none=True)
        if loss.requires_grad:  # not where only masks were given and what they touch is frozen
            loss.backward()
        self.ranks.average(learning)
        nn.utils.clip_grad_norm_(learning, config.clip)
        self._optimizer.step()
        decay = min(config.ema, (self.step + 1) / (self.step + 10))
        _follow(self.average, self.model.to_official(), decay)
        self.step += 1
        return StepScore(loss.item(), first, tracked)

    def _try_to_save(self) -> None:
        try:
            self.save()
        except StorageError as error:
            warnings.warn(f"Training goes on without a checkpoint. {error}", RuntimeWarning, stacklevel=3)

    def _resume(self, state: State) -> None:
        if state.get("stage") != repr(self.config) or "optimizer" not in state:
            raise StorageError(
                f"{self.out} holds the checkpoint of another training ({state.get('stage', 'unknown')}): "
                "choose another folder, or delete this one to start from the beginning."
            )
        self.model.load_state_dict(state["network"])
        self.head.load_state_dict(state["head"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.average = {name: tensor.to(self.device) for name, tensor in state["model"].items()}
        self.step = int(state["step"])
        self._pending = [StepScore(**score) for score in state["pending"]]


def train_stage(
    weights: Weights | None,
    network: ModelConfig,
    config: TrainConfig,
    clips: Clips,
    out: Path,
    device: str = "cpu",
    *,
    save_seconds: float = 60.0,
    ranks: Ranks | None = None,
    title: str | None = None,
    on_step: Callable[[StepReport], object] | None = None,
) -> Weights:
    """Train one stage, or the rest of it, behind a bar of progress, and return the averaged weights.

    Parameters
    ----------
    weights, network, config, out, device, ranks
        See `Stage`.
    clips, save_seconds
        See `Stage.run`.
    title
        What to call it on the terminal.
    on_step
        Told of every step, in place of the bar; an exception from it stops the training.
    """
    stage = Stage(weights, network, config, out, device, ranks)
    quiet = None if stage.ranks.first and on_step is None else True
    bar: Any = tqdm(total=config.steps, initial=stage.step, unit="step", desc=title, disable=quiet)
    with bar:
        for report in stage.run(clips, save_seconds):
            if on_step is not None:
                on_step(report)
            score = report.score
            ious = {"first": score.first_iou, "tracked": score.tracked_iou}
            words = [f"loss {score.loss:.2f}", *(f"{k} {v:.2f}" for k, v in ious.items() if v is not None)]
            bar.set_postfix_str(", ".join(words), refresh=False)
            bar.update()
    return stage.average


def _forward(
    model: SAM2, head: DenseHead, batch: Batch, config: TrainConfig, device: str
) -> tuple[Tensor, float | None, float | None]:
    images, masks, valid, classes = (x.to(device, non_blocking=True) for x in batch)
    clip, _ = valid.nonzero(as_tuple=True)
    per_object = masks.transpose(1, 2)[valid].transpose(0, 1)
    mean = images.new_tensor(MEAN)[:, None, None]
    deviation = images.new_tensor(DEVIATION)[:, None, None]
    pixels = (images - mean) / deviation
    length = images.shape[1]
    plan = draw_plan(
        length, config.mask_prompts, config.boxes, config.prompted_frames, config.corrected_frames
    )
    with torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=config.bfloat16):
        encoded = model.encode(pixels.flatten(0, 1))
        maps = (encoded.features, encoded.middle, encoded.fine)
        embeddings = [
            ImageEmbedding(*(x.unflatten(0, (-1, length))[:, t][clip] for x in maps)) for t in range(length)
        ]
        shares = LossWeights(balanced=config.balanced, focal=config.focal)
        result = rollout(model, embeddings, per_object, shares, config.corrections, plan)
        loss = result.loss
        if config.dense:
            loss = loss + config.dense * head.loss(encoded.fine.unflatten(0, (-1, length))[:, 0], classes)
    return loss, result.first_iou, result.tracked_iou


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"The folder {folder} cannot be made ({error}): choose another.") from error


@torch.no_grad()
def _follow(average: Weights, current: Weights, decay: float) -> None:
    for name, tensor in average.items():
        tensor.lerp_(current[name], 1 - decay)
