"""Checkpoints: whole or not at all, and the one before is still there."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from napari_sam2.errors import StorageError
from napari_sam2.training.checkpoint import LAST, PREVIOUS, load_state, save_state


def state(step: int) -> dict[str, object]:
    return {"step": step, "model": {"a": torch.full((40_000,), float(step))}}


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond a few pages: writing fails in the middle, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_one_before_is_kept(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None
    for step in (1, 2, 3):
        save_state(state(step), tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [LAST, PREVIOUS]
    assert load_state(tmp_path / "run")["step"] == 3
    assert torch.load(tmp_path / "run" / PREVIOUS, weights_only=True)["step"] == 2


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    for step in (1, 2):
        save_state(state(step), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    request.getfixturevalue("full_disk")
    with pytest.raises(StorageError, match=r"the disk is full\. The one before is untouched"):
        save_state(state(3), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    for step in (1, 2):
        save_state(state(step), tmp_path)
    (tmp_path / LAST).write_bytes((tmp_path / LAST).read_bytes()[:1000])
    with pytest.warns(UserWarning, match=r"last\.pt is damaged"):
        assert load_state(tmp_path)["step"] == 1
    (tmp_path / PREVIOUS).write_bytes(b"")
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(StorageError, match="delete the folder"):
        load_state(tmp_path)


def test_between_the_two_renames(tmp_path: Path) -> None:
    for step in (1, 2):
        save_state(state(step), tmp_path)
    (tmp_path / LAST).unlink()
    assert load_state(tmp_path)["step"] == 1
