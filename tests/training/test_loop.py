"""The loop: weights move the right way, files tell of it, and an interruption changes nothing."""

import itertools
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_sam2.errors import StorageError
from napari_sam2.model.config import ModelConfig
from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.config import TrainConfig
from napari_sam2.training.dense_head import DenseHead
from napari_sam2.training.loop import Stage, train_stage
from napari_sam2.training.metrics import read_metrics

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
STAGE = TrainConfig(
    size=64, batch=2, objects=2, steps=32, rate=4e-3, warmup=5, boxes=1 / 3, corrections=0, bfloat16=False
)


def squares(frames: int = 1, shade: float = 0.6) -> Batch:
    """Two clips: one bright square in the first, a second one in the other; room for two objects."""
    noise = torch.Generator().manual_seed(0)
    masks = torch.zeros(2, frames, 2, 64, 64, dtype=torch.bool)
    masks[0, :, 0, 10:34, 12:40] = True
    masks[1, :, 0, 4:24, 4:24] = True
    masks[1, :, 1, 34:60, 30:60] = True
    seen = masks.any(2)[:, :, None].expand(-1, -1, 3, -1, -1)
    images = 0.2 + shade * seen + 0.02 * torch.randn(64, 64, generator=noise)
    valid = torch.tensor([[True, False], [True, True]])
    return images.float(), masks, valid, masks[:, 0].any(1).to(torch.int8)


def changing(step: int) -> Iterator[Batch]:
    """Another batch for every step."""
    for number in itertools.count(step):
        yield squares(shade=0.3 + 0.1 * (number % 5))


@pytest.fixture(scope="module")
def fresh(tiny: ModelConfig) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: tensor.detach().clone() for name, tensor in SAM2(tiny).to_official().items()}


def test_the_loss_falls_and_the_weights_fit(
    tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    clips = itertools.repeat(squares(), 32)
    trained = train_stage(fresh, tiny, STAGE, clips, tmp_path / "stage")
    table = read_metrics(tmp_path / "stage" / "metrics.csv")
    assert [(row["size"], row["frames"], row["step"]) for row in table] == [
        ("64", "1", "20"),
        ("64", "1", "32"),
    ]
    losses = [float(row["loss"]) for row in table]
    assert losses[1] < 0.8 * losses[0]
    assert all(0 <= float(row["first_iou"]) <= 1 and row["tracked_iou"] == "" for row in table)

    stored = torch.load(tmp_path / "stage" / "last.pt", weights_only=True)
    assert stored["stage"] == repr(STAGE)
    SAM2(tiny).load_official(stored["model"])
    assert all(torch.equal(tensor, trained[name]) for name, tensor in stored["model"].items())
    assert any(not torch.equal(tensor, fresh[name]) for name, tensor in trained.items())


def test_an_interruption_changes_nothing(
    tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    config = replace(STAGE, steps=9)
    whole = train_stage(fresh, tiny, config, changing, tmp_path / "whole")
    for stop in (4, 7):
        stage = Stage(fresh, tiny, config, tmp_path / "cut")
        run = stage.run(changing, save_seconds=0)
        for report in run:
            if report.step == stop:
                break
        run.close()
    resumed = Stage(fresh, tiny, config, tmp_path / "cut")
    assert resumed.step == 7
    parted = train_stage(fresh, tiny, config, changing, tmp_path / "cut")
    assert all(torch.equal(tensor, parted[name]) for name, tensor in whole.items())
    tables = [(tmp_path / name / "metrics.csv").read_bytes() for name in ("whole", "cut")]
    assert tables[0] == tables[1]
    # What is finished is not begun again.
    again = train_stage(fresh, tiny, config, changing, tmp_path / "cut")
    assert all(torch.equal(tensor, again[name]) for name, tensor in whole.items())


def test_another_training_is_not_overwritten(
    tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    train_stage(fresh, tiny, replace(STAGE, steps=1), changing, tmp_path)
    before = (tmp_path / "last.pt").read_bytes()
    with pytest.raises(StorageError, match="checkpoint of another training"):
        train_stage(fresh, tiny, replace(STAGE, steps=1, seed=1), changing, tmp_path)
    assert (tmp_path / "last.pt").read_bytes() == before


def test_a_full_disk_in_the_middle_does_not_end_the_run(
    tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    stage = Stage(fresh, tiny, replace(STAGE, steps=4), tmp_path)
    run = stage.run(changing, save_seconds=0)
    next(run)
    kept = (tmp_path / "last.pt").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.warns(RuntimeWarning, match="goes on without a checkpoint.*disk is full"):
            assert next(run).step == 2
        assert (tmp_path / "last.pt").read_bytes() == kept
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [report.step for report in run] == [3, 4]
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 4


def test_sequences_are_scored_where_nobody_clicks(
    tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    config = replace(STAGE, frames=3, steps=2, corrections=1)
    train_stage(fresh, tiny, config, itertools.repeat(squares(3), 2), tmp_path)
    (row,) = read_metrics(tmp_path / "metrics.csv")
    assert (row["frames"], row["step"]) == ("3", "2")
    assert 0 <= float(row["tracked_iou"]) <= 1


def test_only_the_decoder_moves(tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path) -> None:
    config = replace(STAGE, parts="decoder", steps=3, dense=0.0)
    trained = train_stage(fresh, tiny, config, changing, tmp_path)
    moved = {name for name, tensor in trained.items() if not torch.equal(tensor, fresh[name])}
    assert moved
    assert all(name.startswith("sam_mask_decoder.") for name in moved)


def test_without_clips_the_weights_stay(
    tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    same = train_stage(fresh, tiny, STAGE, iter(()), tmp_path)
    assert all(torch.equal(tensor, fresh[name]) for name, tensor in same.items())
    assert read_metrics(tmp_path / "metrics.csv") == []
    assert (tmp_path / "last.pt").is_file()


def test_progress_tells_what_is_left(
    tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    reports = list(Stage(fresh, tiny, replace(STAGE, steps=3), tmp_path).run(changing))
    assert [(report.step, report.steps) for report in reports] == [(1, 3), (2, 3), (3, 3)]
    assert all(report.steps_a_second > 0 for report in reports)
    assert reports[0].seconds_left == pytest.approx(2 / reports[0].steps_a_second)
    assert reports[-1].seconds_left == 0


def test_fresh_weights_start_warm(tiny: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[tuple[object, ...]] = []
    monkeypatch.setattr("napari_sam2.training.loop.learn_where_clicks_are", lambda *args: warmed.append(args))
    train_stage(None, tiny, replace(STAGE, warm_start=7, warm_rate=0.5), iter(()), tmp_path)
    assert [args[1:] for args in warmed] == [(7, 0.5)]
    train_stage(None, tiny, replace(STAGE, warm_start=7, warm_rate=0.5), iter(()), tmp_path)
    assert len(warmed) == 1  # resumed


def test_dense_head_leaves_unknown_ground_alone() -> None:
    torch.manual_seed(0)
    head, fine = DenseHead(4), torch.randn(1, 4, 8, 8, requires_grad=True)
    classes = torch.full((1, 32, 32), -1, dtype=torch.int8)
    loss = head.loss(fine, classes)
    assert loss.item() == 0
    loss.backward()
    assert not fine.grad.any()
    classes[:, :16] = 1
    fine.grad = None
    head.loss(fine, classes).backward()
    assert fine.grad[:, :, :4].any()
    assert not fine.grad[:, :, 4:].any()
