"""Encoded frames on disk, found again by what they show; several processes may share the folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from napari_sam2.errors import StorageError
from napari_sam2.model.values import ImageEmbedding

DISK_BYTES = 2 * 2**30

_SUFFIX, _PART = ".safetensors", ".part"
_KEPT_SHARE = 0.9
"""What a clearing leaves of the budget, so that not every frame has to look through the folder."""

_PART_SECONDS = 3600.0
"""Age from which on an unfinished file was surely left by a killed process."""
_PARTS = ("features", "middle", "fine")


class EmbeddingStore:
    """A folder of embeddings under a budget, the most recently used of which stay.

    One embedding is one safetensors file: it appears under its name when it is complete, and goes as a whole,
    without a word between the processes that share the folder. A zarr array would be many files that can be
    half there, and chunks of float noise that no codec makes smaller. A checksum tells damage; nothing is
    forced to the disk, since what a crash spoils is encoded anew.

    Parameters
    ----------
    folder
        Made if it is missing.
    budget
        Bytes that the files may take.

    Raises
    ------
    StorageError
        The folder cannot be made.
    """

    def __init__(self, folder: str | Path, budget: int = DISK_BYTES) -> None:
        self.folder = Path(folder).expanduser()
        self.budget = budget
        self._size: int | None = None  # of all files, as far as this process knows
        self._writable = True
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"The folder {self.folder} for encoded frames cannot be made ({error.strerror or error}): "
                "choose another, or None to keep them in memory only."
            ) from error

    def get(self, key: str) -> ImageEmbedding | None:
        """Return what was put under a key, on the CPU; None where it is gone or damaged."""
        path = self._path(key)
        try:
            parts = load(path.read_bytes())
            last = parts["channels_last"].tolist()
            # Laid out as they were, and where torch puts its own: else some kernels round differently.
            found = ImageEmbedding(
                *(
                    parts[name].clone(
                        memory_format=torch.channels_last if layout else torch.contiguous_format
                    )
                    for name, layout in zip(_PARTS, last, strict=True)
                )
            )
            whole = torch.equal(parts["checksum"], torch.tensor(_checksum(key, found)))
        except (OSError, SafetensorError, KeyError, ValueError):
            # Gone, cut short or overwritten by something else: encoding puts a good one in its place.
            return None
        with contextlib.suppress(OSError):  # in a folder that may only be read
            os.utime(path)  # the time of last use; the system's own is often switched off
        return found if whole else None

    def put(self, key: str, embedding: ImageEmbedding) -> None:
        """Keep an embedding; the least recently used make room. If the disk fails, one warning says so."""
        if not self._writable or embedding.nbytes > _KEPT_SHARE * self.budget:
            return
        whole = embedding.to(torch.device("cpu"))
        parts = {name: getattr(whole, name) for name in _PARTS}
        last = [
            part.is_contiguous(memory_format=torch.channels_last) and not part.is_contiguous()
            for part in parts.values()
        ]
        notes = {"checksum": torch.tensor(_checksum(key, whole)), "channels_last": torch.tensor(last)}
        data = save({**{name: part.contiguous() for name, part in parts.items()}, **notes})
        path = self._path(key)
        part = path.with_name(f"{path.stem}.{secrets.token_hex(4)}{_PART}")
        try:
            try:
                part.write_bytes(data)
                with contextlib.suppress(PermissionError):  # Windows, while another process reads it
                    os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
            self._size = None if self._size is None else self._size + len(data)
            if self._size is None or self._size > self.budget:
                self._size = self._clear()
        except OSError as error:
            self._writable = False
            warnings.warn(
                f"Encoded frames cannot be kept in {self.folder} ({error.strerror or error}). Work goes on "
                "without; free some space or choose another folder to have them at once the next time.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"

    def _clear(self) -> int:
        """Bring the folder under its budget, whoever filled it, and return what is left."""
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                try:
                    about = entry.stat()
                    if entry.name.endswith(_SUFFIX):
                        found.append((about.st_mtime_ns, about.st_size, entry.path))
                    elif entry.name.endswith(_PART) and time.time() - about.st_mtime > _PART_SECONDS:
                        os.unlink(entry.path)
                except FileNotFoundError:
                    continue  # another process was quicker
        size = sum(one[1] for one in found)
        if size > self.budget:
            for _, nbytes, path in sorted(found):
                if size <= _KEPT_SHARE * self.budget:
                    break
                with contextlib.suppress(FileNotFoundError, PermissionError):  # as above
                    os.unlink(path)
                size -= nbytes
        return size


class StoredFrames:
    """The frames of one image, as one network sees them, in a store.

    Parameters
    ----------
    store
        Where they are kept.
    about
        All but the pixels that decides how a frame comes out encoded: weights, intensity, size, device.
    """

    def __init__(self, store: EmbeddingStore, about: str) -> None:
        self._store = store
        self._about = about.encode()

    def embedding(self, image: np.ndarray[Any, Any], encode: Callable[[], ImageEmbedding]) -> ImageEmbedding:
        """Return the embedding of a frame (H, W) or (H, W, C); `encode` is called where it is not at hand."""
        key = self.key(image)
        found = self._store.get(key)
        if found is None:
            found = encode()
            self._store.put(key, found)
        return found

    def key(self, image: np.ndarray[Any, Any]) -> str:
        """Return the name of a frame: a hash of its pixels and of what it is about."""
        digest = hashlib.blake2b(self._about, digest_size=20)
        digest.update(f"{image.dtype.str} {image.shape}".encode())
        digest.update(np.ascontiguousarray(image).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()


def _checksum(key: str, embedding: ImageEmbedding) -> int:
    value = zlib.crc32(key.encode())
    for part in (embedding.features, embedding.middle, embedding.fine):
        # numpy has no bfloat16, but every tensor has bytes.
        value = zlib.crc32(part.contiguous().view(torch.uint8).numpy().data, value)
    return value
