"""SAM's weight files: recognised by their tensors, in all containers, and told from those of SAM 2."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from napari_sam2.errors import CheckpointError
from napari_sam2.io import registry
from napari_sam2.io.checkpoints import config_of, load_model, save_model
from napari_sam2.io.registry import Checkpoint, fetch
from napari_sam2.model.sam1 import SAM1
from napari_sam2.model.sam1_config import SAM1_RELEASED
from napari_sam2.model.sam2 import SAM2
from tests.sam1 import TINY, tiny_sam1


@pytest.fixture(scope="module")
def model() -> SAM1:
    return tiny_sam1()


def same(first: SAM1, second: Any) -> bool:
    ours, theirs = first.to_official(), second.to_official()
    return list(ours) == list(theirs) and all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("name", SAM1_RELEASED)
def test_configuration_is_told_from_shapes(name: str) -> None:
    with torch.device("meta"):
        state = SAM1(SAM1_RELEASED[name]).to_official()
    assert config_of(state) == SAM1_RELEASED[name]


@pytest.mark.parametrize("container", ["plain", "model", "training run", "export with decoder"])
def test_containers_of_fine_tunes(model: SAM1, tmp_path: Path, container: str) -> None:
    state = dict(model.to_official())
    prefixed = {f"sam.{key}": tensor for key, tensor in state.items()}
    top: dict[str, Any] = {
        "plain": state,
        "model": {"model": state},
        "training run": {"model_state": prefixed, "epoch": 3, "optimizer_state": {"lr": 1e-5}},
        "export with decoder": {"model_state": state, "decoder_state": {"out_conv.weight": torch.zeros(1)}},
    }[container]
    torch.save(top, tmp_path / "vit_b.pt")
    loaded = load_model(tmp_path / "vit_b.pt", device="cpu", config=TINY)
    assert same(model, loaded)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.parametrize("half", [False, True])
def test_safetensors_carries_its_configuration(model: SAM1, tmp_path: Path, half: bool) -> None:
    path = save_model(model, tmp_path / "a.safetensors", half=half)
    back = load_model(path, device="cpu")
    assert isinstance(back, SAM1)
    assert back.config == TINY
    assert back.dtype == torch.float32
    if half:
        pairs = zip(back.to_official().values(), model.to_official().values(), strict=True)
        assert max(float((a - b).abs().max()) for a, b in pairs) < 5e-3
    else:
        assert same(model, back)
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["config"])["family"] == "sam1"


def test_the_wrong_family_is_told_both_ways(model: SAM1, small_model: SAM2, tmp_path: Path) -> None:
    torch.save(model.to_official(), tmp_path / "sam.pt")
    torch.save(small_model.to_official(), tmp_path / "sam2.pt")
    with pytest.raises(
        CheckpointError, match=r"sam\.pt holds the weights of a SAM \(2023\) network.*SAM 2 are"
    ):
        load_model(tmp_path / "sam.pt", config=small_model.config)
    with pytest.raises(
        CheckpointError, match=r"sam2\.pt holds the weights of a SAM 2 network.*SAM \(2023\) are"
    ):
        load_model(tmp_path / "sam2.pt", config=TINY)


def test_a_file_of_another_family_under_a_name(
    small_model: SAM2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = registry.CHECKPOINTS["sam_vit_b"]
    monkeypatch.setitem(registry.CHECKPOINTS, "sam_vit_b", Checkpoint(entry.name, entry.url))
    torch.save(small_model.to_official(), tmp_path / entry.file_name)
    with pytest.raises(CheckpointError, match=r"SAM 2 network, but those of SAM \(2023\) are expected"):
        load_model("sam_vit_b", folder=tmp_path)


def test_a_file_that_is_not_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "sam_vit_b_01ec64.pth").write_bytes(b"something else")
    with pytest.raises(CheckpointError, match=r"is not the published file .*not ec2df62732"):
        fetch("sam_vit_b", tmp_path)
    assert not (tmp_path / "sam_vit_b_01ec64.pth.sha256").exists(), "nothing wrong is recorded"


def test_the_published_file_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"weights"
    entry = Checkpoint("sam_vit_b", "http://127.0.0.1:9/a.pth", hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(registry.CHECKPOINTS, "sam_vit_b", entry)
    (tmp_path / "a.pth").write_bytes(content)
    assert fetch("sam_vit_b", tmp_path) == tmp_path / "a.pth"


def test_another_size_needs_its_configuration(model: SAM1, tmp_path: Path) -> None:
    torch.save(model.to_official(), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"SAM \(2023\) with 2 encoder blocks of width 24.*Sam1Config"):
        load_model(tmp_path / "a.pt")


def test_mobile_sam_is_named(tmp_path: Path) -> None:
    torch.save({"image_encoder.patch_embed.seq.0.c.weight": torch.zeros(1)}, tmp_path / "vit_t.pt")
    with pytest.raises(CheckpointError, match=r"MobileSAM \(TinyViT, vit_t\), which is not supported"):
        load_model(tmp_path / "vit_t.pt")


def test_missing_keys_are_named(model: SAM1, tmp_path: Path) -> None:
    state = dict(model.to_official())
    del state["image_encoder.neck.0.weight"]
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(
        CheckpointError, match=r"a\.pt does not fit.*1 missing \(image_encoder\.neck\.0\.weight"
    ):
        load_model(tmp_path / "a.pt", config=TINY)
