"""Encoded frames on disk: what comes back is what was put there, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sam2.errors import StorageError
from napari_sam2.inference import embedding_store
from napari_sam2.inference.embedding_store import EmbeddingStore, StoredFrames
from napari_sam2.model.values import ImageEmbedding


def embedding(seed: int, dtype: torch.dtype = torch.float32) -> ImageEmbedding:
    rng = torch.Generator().manual_seed(seed)

    def part(channels: int, side: int) -> torch.Tensor:
        return torch.randn(1, channels, side, side, generator=rng).to(dtype)

    return ImageEmbedding(part(8, 4), part(4, 8), part(2, 16))


def same(one: ImageEmbedding | None, other: ImageEmbedding) -> bool:
    return one is not None and all(
        getattr(one, name).dtype is getattr(other, name).dtype
        and torch.equal(getattr(one, name), getattr(other, name))
        for name in ("features", "middle", "fine")
    )


def names(store: EmbeddingStore) -> set[str]:
    return {path.stem for path in store.folder.iterdir()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_was_put_comes_back_bit_for_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    EmbeddingStore(tmp_path / "a" / "b").put("one", embedding(1, dtype))
    again = EmbeddingStore(tmp_path / "a" / "b")
    assert same(again.get("one"), embedding(1, dtype))
    assert again.get("two") is None
    strided = embedding(2)
    turned = ImageEmbedding(strided.features.transpose(2, 3), strided.middle, strided.fine)
    again.put("turned", turned)
    assert same(again.get("turned"), turned)


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    size = len(_file_of(tmp_path / "size"))
    store = EmbeddingStore(tmp_path / "x", budget=5 * size)
    now = time.time()
    for number in range(5):
        store.put(f"{number}", embedding(number))
        os.utime(store.folder / f"{number}.safetensors", (now - 100 + number,) * 2)
    assert same(store.get("0"), embedding(0)), "which makes it the newest"
    store.put("5", embedding(5))
    assert names(store) == {"0", "3", "4", "5"}, "nine tenths of five are four"
    assert sum(path.stat().st_size for path in store.folder.iterdir()) <= store.budget
    assert same(store.get("0"), embedding(0))
    EmbeddingStore(tmp_path / "x", budget=size).put("6", embedding(6))
    assert names(store) == {"0", "3", "4", "5"}, "one that does not fit by itself is not kept"


def test_a_full_folder_of_another_process_counts(tmp_path: Path) -> None:
    size = len(_file_of(tmp_path / "size"))
    for number in range(6):
        EmbeddingStore(tmp_path / "x").put(f"{number}", embedding(number))
    store = EmbeddingStore(tmp_path / "x", budget=3 * size)
    store.put("6", embedding(6))
    assert len(names(store)) == 2
    assert "6" in names(store)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-9],
        lambda data: b"",
        lambda data: b"nonsense" * 40,
        lambda data: data[:-40] + bytes([data[-40] ^ 1]) + data[-39:],
        lambda data: _another(),
    ],
    ids=["cut", "empty", "nonsense", "one bit", "another embedding"],
)
def test_damaged_entries_are_ignored_and_replaced(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    store = EmbeddingStore(tmp_path / "x")
    store.put("one", embedding(1))
    path = store.folder / "one.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    calls: list[int] = []

    def encode() -> ImageEmbedding:
        calls.append(1)
        return embedding(1)

    assert store.get("one") is None
    frames = StoredFrames(store, "about")
    image = np.arange(12, dtype=np.uint16).reshape(3, 4)
    store.put(frames.key(image), embedding(1))
    entry = store.folder / f"{frames.key(image)}.safetensors"
    entry.write_bytes(damage(entry.read_bytes()))
    for _ in range(2):
        assert same(frames.embedding(image, encode), embedding(1))
    assert calls == [1]


def test_frames_are_known_by_what_they_show_and_what_encodes_them(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    image = np.arange(12, dtype=np.uint16).reshape(3, 4)
    frames = StoredFrames(store, "weights a")
    others = [
        StoredFrames(store, "weights b").key(image),
        frames.key(image + 1),
        frames.key(image.reshape(4, 3)),
        frames.key(image.view(np.int16)),
        frames.key(np.asfortranarray(image)[::-1]),
    ]
    keys = {frames.key(image), *others}
    assert len(keys) == len(others) + 1
    assert StoredFrames(store, "weights a").key(np.asfortranarray(image)) == frames.key(image)


def test_a_full_disk_warns_once_and_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EmbeddingStore(tmp_path / "x")
    store.put("one", embedding(1))

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.warns(RuntimeWarning, match=r"No space left.*Work goes on") as told:
        for number in (2, 3, 4):
            store.put(f"{number}", embedding(number))
    assert len(told) == 1
    assert names(store) == {"one"}, "nothing half-written stays"
    assert same(store.get("one"), embedding(1)), "what is there is read as before"


def test_a_folder_that_may_only_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    EmbeddingStore(tmp_path).put("one", embedding(1))
    store = EmbeddingStore(tmp_path)

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "utime", denied)
    monkeypatch.setattr(Path, "write_bytes", denied)
    with pytest.warns(RuntimeWarning, match="Permission denied"):
        store.put("two", embedding(2))
    assert same(store.get("one"), embedding(1))


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    left, fresh = tmp_path / "a.1234.part", tmp_path / "b.1234.part"
    for path in (left, fresh):
        path.write_bytes(b"half")
    old = time.time() - 2 * embedding_store._PART_SECONDS
    os.utime(left, (old, old))
    EmbeddingStore(tmp_path).put("one", embedding(1))
    assert not left.exists()
    assert fresh.exists(), "another process may be writing it"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="choose another, or None"):
        EmbeddingStore(tmp_path / "file" / "x")


PROGRAM = """
import sys
from napari_sam2.inference.embedding_store import EmbeddingStore
from tests.inference.test_embedding_store import embedding, same
store = EmbeddingStore("shared", budget=int(sys.argv[1]))
for turn in range(40):
    number = (turn * int(sys.argv[2])) % 11
    found = store.get(str(number))
    if found is None:
        store.put(str(number), embedding(number))
    elif not same(found, embedding(number)):
        raise SystemExit(f"{number} came back changed")
"""


def test_processes_share_a_folder(tmp_path: Path) -> None:
    size = len(_file_of(tmp_path / "size"))
    found = [str(Path(__file__).parents[2]), *map(os.path.abspath, sys.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(found)}
    processes = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, str(6 * size), step], cwd=tmp_path, env=environment)
        for step in ("3", "5")
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    store = EmbeddingStore(tmp_path / "shared")
    left = names(store)
    assert 0 < len(left) <= 7, "the budget, and what the other one put there since"
    assert all(same(store.get(name), embedding(int(name))) for name in left)


def _file_of(folder: Path) -> bytes:
    EmbeddingStore(folder).put("other", embedding(0))
    return (folder / "other.safetensors").read_bytes()


def _another() -> bytes:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        return _file_of(Path(folder))
