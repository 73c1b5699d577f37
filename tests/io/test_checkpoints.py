import argparse
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_sam2.errors import CheckpointError, StorageError
from napari_sam2.io import checkpoints
from napari_sam2.io.checkpoints import config_of, load_model, save_model
from napari_sam2.model.config import RELEASED, HieraConfig, ModelConfig, released
from napari_sam2.model.sam2 import SAM2

TINY = ModelConfig(
    trunk=HieraConfig(8, 1, (1, 1, 1, 1), (2,), (8, 4, 4, 2), (4, 4)),
    image_size=128,
    width=32,
    memory_width=8,
    memory_layers=1,
    memory_hidden=16,
    fuser_layers=1,
)


@pytest.fixture(scope="module")
def model() -> SAM2:
    torch.manual_seed(0)
    return SAM2(TINY).eval()


def _same(first: SAM2, second: SAM2) -> bool:
    ours, theirs = first.to_official(), second.to_official()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_safetensors_carries_its_configuration(model: SAM2, tmp_path: Path) -> None:
    path = save_model(model, tmp_path / "a.safetensors", metadata={"trained_on": "phantoms"})
    back = load_model(path, device="cpu")
    assert back.config == TINY
    assert _same(back, model)
    assert not back.training
    assert not any(parameter.requires_grad for parameter in back.parameters())
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_half_is_half_the_size_and_loads_as_float32(model: SAM2, tmp_path: Path) -> None:
    whole = save_model(model, tmp_path / "whole.safetensors")
    half = save_model(model, tmp_path / "half.safetensors", half=True)
    assert half.stat().st_size < 0.75 * whole.stat().st_size
    back = load_model(half, device="cpu")
    assert {p.dtype for p in back.parameters()} == {torch.float32}
    for key, value in model.to_official().items():
        torch.testing.assert_close(back.to_official()[key], value, atol=1e-3, rtol=1e-3)


def test_dtype_and_device_are_applied(model: SAM2, tmp_path: Path) -> None:
    path = save_model(model, tmp_path / "a.safetensors")
    assert {p.dtype for p in load_model(path, "cpu", torch.bfloat16).parameters()} == {torch.bfloat16}
    with pytest.raises(CheckpointError, match="cannot be moved to device 'nonsense'"):
        load_model(path, "nonsense")


@pytest.mark.parametrize("wrapped", [True, False])
def test_official_pt_with_its_configuration(model: SAM2, tmp_path: Path, wrapped: bool) -> None:
    state = model.to_official()
    path = tmp_path / "fine_tune.pt"
    torch.save({"model": state, "epoch": 3} if wrapped else state, path)
    assert _same(load_model(path, device="cpu", config=TINY), model)


def test_saving_does_not_replace_a_file_by_itself(model: SAM2, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_text("precious")
    with pytest.raises(StorageError, match="exists already"):
        save_model(model, path)
    assert path.read_text() == "precious"
    assert load_model(save_model(model, path, overwrite=True), device="cpu").config == TINY


def test_saving_into_a_missing_folder(model: SAM2, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="There is no folder"):
        save_model(model, tmp_path / "nowhere" / "a.safetensors")


def test_full_disk_leaves_nothing_behind(
    model: SAM2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(state: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half of it")
        raise checkpoints.SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(StorageError, match="the disk is full"):
        save_model(model, tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", RELEASED)
def test_configuration_is_told_from_shapes(name: str) -> None:
    with torch.device("meta"):
        state = SAM2(released(name)).to_official()
    assert config_of(state) == released(name)
    state.pop("image_encoder.trunk.blocks.0.norm1.weight")
    assert config_of(state) == released(name)


def test_configuration_of_something_else(model: SAM2) -> None:
    assert config_of(model.to_official()) is None
    assert config_of({"conv1.weight": torch.zeros(1)}) is None


def _write(path: Path, kind: str, model: SAM2) -> None:
    match kind:
        case "missing":
            pass
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "png":
            path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
        case "tiff":
            path.write_bytes(b"II*\0\x08\0\0\0" + bytes(100))
        case "text":
            path.write_text("these are not the weights you are looking for")
        case "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("notes/readme.txt", "hello")
        case "torchscript":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("a/constants.pkl", b"")
                archive.writestr("a/data.pkl", b"")
        case "pickled object":
            torch.save({"model": model.to_official(), "args": argparse.Namespace(lr=1)}, path)
        case "truncated":
            torch.save({"model": model.to_official()}, path)
            path.write_bytes(path.read_bytes()[:20_000])
        case "damaged pickle":
            path.write_bytes(b"\x80\x02" + bytes(50))
        case "list":
            torch.save([torch.zeros(1)], path)
        case "no weights":
            torch.save({"epoch": 3, "loss": 0.1}, path)
        case "another network":
            torch.save({"model": {"conv1.weight": torch.zeros(1)}}, path)
        case "unknown size":
            torch.save({"model": model.to_official()}, path)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "There is no file"),
        ("folder", "is a folder"),
        ("empty", r"is empty \(0 bytes\)"),
        ("png", "is a PNG picture"),
        ("tiff", "is a TIFF image"),
        ("text", "is not a file of weights"),
        ("zip", "is a zip archive of something else"),
        ("torchscript", "TorchScript program.*could run code"),
        ("pickled object", "holds pickled Python objects.*could run code"),
        ("truncated", "is cut short"),
        ("damaged pickle", "model.pt"),
        ("list", "a list was found instead"),
        ("no weights", r"no state dict under the key 'model'.*\(epoch, loss\)"),
        ("another network", r"471 names are missing \(first .*1 unexpected \(first conv1.weight\)"),
        ("unknown size", "4 trunk blocks of width 8.*config="),
    ],
)
def test_wrong_files_are_told_in_words(kind: str, message: str, model: SAM2, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    _write(path, kind, model)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_model(path, device="cpu")
    assert str(path) in str(caught.value)


def test_pickled_code_does_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"model": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(CheckpointError, match="not opened"):
        load_model(tmp_path / "trap.pt")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("size", [20, 2_000])
def test_truncated_safetensors(model: SAM2, tmp_path: Path, size: int) -> None:
    path = save_model(model, tmp_path / "a.safetensors")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        load_model(path)


def test_wrong_keys_are_named(model: SAM2, tmp_path: Path) -> None:
    state = model.to_official()
    del state["no_obj_ptr"]
    state["novel"] = torch.zeros(1)
    save_file(state, tmp_path / "a.safetensors", metadata={"config": TINY.to_json()})
    with pytest.raises(
        CheckpointError, match=r"a\.safetensors does not fit.*1 missing \(no_obj_ptr\).*novel"
    ):
        load_model(tmp_path / "a.safetensors")


def test_unreadable_configuration(model: SAM2, tmp_path: Path) -> None:
    save_file(model.to_official(), tmp_path / "a.safetensors", metadata={"config": "{"})
    with pytest.raises(CheckpointError, match="configuration inside the weights cannot be read"):
        load_model(tmp_path / "a.safetensors")


def test_unknown_name_lists_the_names_and_suggests_one() -> None:
    with pytest.raises(CheckpointError, match=r"sam2_hiera_tinny.*Did you mean 'sam2_hiera_tiny'.*nano"):
        load_model("sam2_hiera_tinny")
    with pytest.raises(CheckpointError, match="There is no file"):
        load_model("folder/sam2_hiera_tinny.pt")


def test_named_checkpoint_already_in_the_cache(tmp_path: Path) -> None:
    with torch.device("meta"):
        skeleton = SAM2(released("sam2_hiera_tiny")).to_official()
    generator = torch.Generator().manual_seed(0)
    state = {key: torch.rand(value.shape, generator=generator) for key, value in skeleton.items()}
    torch.save({"model": state}, tmp_path / "sam2_hiera_tiny.pt")
    model = load_model("sam2_hiera_tiny", device="cpu", folder=tmp_path)
    assert model.config == released("sam2_hiera_tiny")
    assert all(torch.equal(model.to_official()[key], value) for key, value in state.items())
