"""The loop: weights move the right way, and files tell of it."""

import csv
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_sam2.model.config import ModelConfig
from napari_sam2.model.sam2 import SAM2
from napari_sam2.training.config import TrainConfig
from napari_sam2.training.loop import DenseHead, train_stage

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
STAGE = TrainConfig(size=64, batch=2, objects=2, minutes=5, rate=4e-3, warmup=5, corrections=0)


def squares(frames: int = 1) -> Batch:
    """Two clips: one bright square in the first, a second one in the other; room for two objects."""
    torch.manual_seed(0)
    masks = torch.zeros(2, frames, 2, 64, 64, dtype=torch.bool)
    masks[0, :, 0, 10:34, 12:40] = True
    masks[1, :, 0, 4:24, 4:24] = True
    masks[1, :, 1, 34:60, 30:60] = True
    images = 0.2 + 0.6 * masks.any(2)[:, :, None].expand(-1, -1, 3, -1, -1) + 0.02 * torch.randn(64, 64)
    valid = torch.tensor([[True, False], [True, True]])
    return images.float(), masks, valid, masks[:, 0].any(1).to(torch.int8)


@pytest.fixture(scope="module")
def fresh(tiny: ModelConfig) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: tensor.detach().clone() for name, tensor in SAM2(tiny).to_official().items()}


def rows(out: Path) -> list[list[str]]:
    with (out / "metrics.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_the_loss_falls_and_the_weights_fit(
    tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    clips = itertools.repeat(squares(), 32)
    trained = train_stage(fresh, tiny, STAGE, clips, tmp_path / "stage")
    table = rows(tmp_path / "stage")
    assert [row[:3] for row in table] == [["64", "1", step] for step in ("20", "32")]
    losses = [float(row[4]) for row in table]
    assert losses[1] < 0.8 * losses[0]
    assert all(0 <= float(row[5]) <= 1 and row[6] == "" for row in table)

    stored = torch.load(tmp_path / "stage" / "last.pt", weights_only=True)
    assert stored["stage"] == repr(STAGE)
    SAM2(tiny).load_official(stored["model"])
    assert all(torch.equal(tensor, trained[name]) for name, tensor in stored["model"].items())
    assert any(not torch.equal(tensor, fresh[name]) for name, tensor in trained.items())
    assert sorted(path.name for path in (tmp_path / "stage").iterdir()) == ["last.pt", "metrics.csv"]


def test_sequences_are_scored_where_nobody_clicks(
    tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    train_stage(fresh, tiny, replace(STAGE, frames=3), itertools.repeat(squares(3), 2), tmp_path)
    (row,) = rows(tmp_path)
    assert row[:3] == ["64", "3", "2"]
    assert 0 <= float(row[6]) <= 1


def test_the_stage_ends_with_its_time(
    tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    drawn = 0

    def endless() -> Iterator[Batch]:
        nonlocal drawn
        while True:
            drawn += 1
            yield squares()

    train_stage(fresh, tiny, replace(STAGE, minutes=0.005), endless(), tmp_path)
    assert 1 < drawn < 200
    assert int(rows(tmp_path)[-1][2]) == drawn - 1
    assert (tmp_path / "last.pt").is_file()


def test_without_clips_the_weights_stay(
    tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    same = train_stage(fresh, tiny, STAGE, iter(()), tmp_path)
    assert all(torch.equal(tensor, fresh[name]) for name, tensor in same.items())
    assert rows(tmp_path) == []
    assert (tmp_path / "last.pt").is_file()


def test_metrics_of_a_stage_that_goes_on_are_added(
    tiny: ModelConfig, fresh: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    for _ in range(2):
        train_stage(fresh, tiny, STAGE, itertools.repeat(squares(), 1), tmp_path)
    assert [row[2] for row in rows(tmp_path)] == ["1", "1"]


def test_fresh_weights_start_warm(tiny: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[SAM2] = []
    monkeypatch.setattr("napari_sam2.training.loop.learn_where_clicks_are", warmed.append)
    train_stage(None, tiny, STAGE, iter(()), tmp_path)
    assert len(warmed) == 1


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
