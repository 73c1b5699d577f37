"""Annotated images, movies and stacks, decoded once, and made ones with exact labels."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from napari_sam2.errors import StorageError
from napari_sam2.imaging.scenes import scene
from napari_sam2.training import augment_clips as augment


class Kind(Enum):
    """What a recording is; the value is its name in index.json."""

    STILL = "2d"
    TRACKED = "2d+t"
    STACK = "3d"
    VIDEO = "video"
    PHANTOM = "phantom"


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Decoded: uint8 frames (T, H, W) or (T, H, W, 3), and halved copies; uint16 labels (T, H, W)."""

    kind: Kind
    style: str
    levels: tuple[npt.NDArray[np.uint8], ...]
    labels: npt.NDArray[np.uint16]

    @classmethod
    def build(cls, kind: Kind, images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Recording:
        """Scale gray frames to 8 bit by their percentiles, keep colour, and prepare the smaller copies."""
        if images.ndim == 3:
            low, high = np.percentile(images[:, ::2, ::2] if images.size > 4e6 else images, (0.5, 99.5))
            scaled = (images.astype(np.float32) - low) * (255 / max(float(high - low), 1e-6))
            images = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        levels = [images]
        while min(levels[-1].shape[1:3]) >= 128:
            levels.append(augment.halve(levels[-1]))
        tone = int(levels[-1].mean() // 86)
        style = f"{images.ndim - 2}-{images.shape[1]}x{images.shape[2]}-{tone}"
        return cls(kind, style, tuple(levels), labels.astype(np.uint16))


def load_recordings(folder: Path, cache: Path | None = None) -> list[Recording]:
    """Read every item of `folder`/index.json, or the copy an earlier call decoded into `cache`.

    Raises
    ------
    StorageError
        When the index or one of its files is missing or unreadable.
    """
    try:
        text = (folder / "index.json").read_text(encoding="utf-8")
        items = json.loads(text)["items"]
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(f"{folder} holds no readable index.json with a list of items: {error}.") from error
    stamp = hashlib.sha256(f"{folder.resolve()}\n{text}".encode()).hexdigest()[:16]
    stored = None if cache is None else cache / f"clips-{stamp}.npz"
    if stored is not None and stored.is_file():
        with np.load(stored) as arrays:
            decoded = [(arrays[f"image{i}"], arrays[f"label{i}"]) for i in range(len(items))]
    else:
        try:
            decoded = [(_read(folder / item["image"]), _read(folder / item["label"])) for item in items]
        except (OSError, KeyError) as error:
            raise StorageError(f"An item of {folder / 'index.json'} cannot be read: {error}.") from error
        if stored is not None:
            stored.parent.mkdir(parents=True, exist_ok=True)
            partial = stored.with_suffix(".partial.npz")
            np.savez(partial, **{f"image{i}": image for i, (image, _) in enumerate(decoded)},
                     **{f"label{i}": label for i, (_, label) in enumerate(decoded)})  # fmt: skip
            partial.replace(stored)
    found = []
    for item, (image, label) in zip(items, decoded, strict=True):
        kind = Kind(item["kind"])
        if kind is Kind.STILL:
            image, label = image[None], label[None]
        found.append(Recording.build(kind, image, label > 0 if kind is Kind.VIDEO else label))
    return found


def _read(path: Path) -> npt.NDArray[Any]:
    if path.is_dir():
        return np.stack([_read(frame) for frame in sorted(path.iterdir())])
    if path.suffix in (".tif", ".tiff"):
        return np.asarray(tifffile.imread(path))
    return np.asarray(Image.open(path))


def phantom_recordings(count: int, seed: int = 0, frames: int = 12) -> list[Recording]:
    """Make procedural sequences and stacks of all families, with exact labels."""
    rng, pool = np.random.default_rng(seed), []
    for _ in range(count):
        height, width = (int(side) for side in rng.integers(128, 257, 2))
        phantom = scene(rng, frames=frames, height=height, width=width)
        pool.append(Recording.build(Kind.PHANTOM, phantom.images, phantom.labels))
    return pool
