"""What is written appears whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from napari_sam2.errors import StorageError
from napari_sam2.io.output import check_folder, whole_file, whole_folder


def _notes(folder: Path) -> bool:
    return all(entry.suffix == ".txt" for entry in folder.iterdir())


def _fill(folder: Path, text: str) -> None:
    (folder / "a.txt").write_text(text)


def test_a_folder_is_there_when_the_block_has_ended(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out", False, _notes) as folder:
        _fill(folder, "new")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path) == ["out"]


def test_a_folder_in_the_way_stays_unless_told(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    _fill(tmp_path / "out", "old")
    with (
        pytest.raises(StorageError, match=r"exists already.*--overwrite"),
        whole_folder(tmp_path / "out", False, _notes),
    ):
        pytest.fail("work began")
    with whole_folder(tmp_path / "out", True, _notes) as folder:
        _fill(folder, "new")
        assert (tmp_path / "out" / "a.txt").read_text() == "old"
    assert (tmp_path / "out" / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path) == ["out"]


def test_a_folder_with_other_things_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(StorageError, match=r"other things.*would be lost"):
        check_folder(tmp_path, True, _notes)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match="is a file"):
        check_folder(tmp_path / "file", True, _notes)


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with whole_folder(tmp_path / "out", False, lambda _: False) as folder:
        _fill(folder, "new")
    assert (tmp_path / "out" / "a.txt").read_text() == "new"


@pytest.mark.parametrize("stop", [RuntimeError("no"), KeyboardInterrupt()])
def test_a_failure_inside_leaves_what_was_there(tmp_path: Path, stop: BaseException) -> None:
    (tmp_path / "out").mkdir()
    _fill(tmp_path / "out", "old")
    (tmp_path / "file").write_text("old")
    with pytest.raises(type(stop)), whole_folder(tmp_path / "out", True, _notes) as folder:
        _fill(folder, "new")
        raise stop
    with pytest.raises(type(stop)), whole_file(tmp_path / "file", True) as partial:
        partial.write_text("new")
        raise stop
    assert (tmp_path / "out" / "a.txt").read_text() == "old"
    assert (tmp_path / "file").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["file", "out"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    _fill(tmp_path / "out", "old")
    real, calls = os.replace, []

    def replace(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with (
        pytest.raises(StorageError, match="was not written"),
        whole_folder(tmp_path / "out", True, _notes) as folder,
    ):
        _fill(folder, "new")
    assert len(calls) == 3
    assert (tmp_path / "out" / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_the_disk_is_full(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="disk is full"), whole_file(tmp_path / "a", False):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StorageError, match="disk is full"), whole_folder(tmp_path / "b", False, _notes):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_something_that_comes_in_the_way_meanwhile_stays(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="exists already"),
        whole_file(tmp_path / "a", False) as partial,
    ):
        partial.write_text("new")
        (tmp_path / "a").write_text("mine")
    assert (tmp_path / "a").read_text() == "mine"
    assert os.listdir(tmp_path) == ["a"]
