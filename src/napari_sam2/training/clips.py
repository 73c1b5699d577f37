"""Endless training clips from annotated images, movies, stacks and phantoms, cheap on one CPU core."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, IterableDataset

from napari_sam2.errors import StorageError
from napari_sam2.training import augment_clips as augment
from napari_sam2.training.collage import collage
from napari_sam2.training.depth import depth_collage
from napari_sam2.training.recordings import Kind, Recording, load_recordings, phantom_recordings


@dataclass(frozen=True, slots=True)
class ClipMix:
    """How often each kind of recording is drawn; kinds without recordings are left out."""

    still: float = 0.4
    tracked: float = 0.2
    stack: float = 0.1
    video: float = 0.1
    phantom: float = 0.2


@dataclass(frozen=True, slots=True)
class Clip:
    """A few frames and the objects to follow: images float32 (T, S, S, 3) in [0, 1], masks bool (T, O, S, S).

    No mask is empty on frame 0; on later frames an empty mask says that the object is gone or hidden.
    `classes` int8 (S, S) says of frame 0: ground 0, inside 1 or border 2 of any object, unknown -1.
    """

    images: augment.FloatArray
    masks: augment.BoolArray
    classes: npt.NDArray[np.int8]


class ClipSource:
    """Draws clips for ever; the same arguments give the same clips.

    Parameters
    ----------
    folder, cache
        Training data with an index.json; where to keep the decoded arrays, so that the next start is fast.
    size, frames
        Side and number of the frames of a clip.
    max_objects, min_area
        At most so many objects, each with at least so many pixels on frame 0.
    mix, phantoms
        How often each kind of recording is drawn; the number of procedural movies to make.
    recordings
        Already loaded data, in place of those in `folder`.
    lively
        Share of the gray stills whose objects move one by one in a clip of several frames (see `collage`);
        over the others only the camera moves.
    deep
        Of these, the share whose objects become bodies in a stack (see `depth_collage`).
    """

    def __init__(
        self,
        folder: Path,
        size: int = 128,
        frames: int = 1,
        max_objects: int = 8,
        seed: int = 0,
        *,
        min_area: int = 16,
        cache: Path | None = None,
        mix: ClipMix | None = None,
        phantoms: int = 60,
        recordings: Sequence[Recording] | None = None,
        lively: float = 0.6,
        deep: float = 0.0,
    ) -> None:
        if recordings is None:
            recordings = load_recordings(Path(folder), cache) + phantom_recordings(phantoms)
        self.recordings = recordings
        self.size, self.frames, self.max_objects, self.min_area = size, frames, max_objects, min_area
        self.lively, self.deep = lively, deep
        self._rng = np.random.default_rng(seed)
        mix = mix or ClipMix()
        shares = {Kind[field.name.upper()]: float(getattr(mix, field.name)) for field in fields(mix)}
        styles: dict[tuple[Kind, str], list[int]] = defaultdict(list)
        for i, recording in enumerate(recordings):
            if recording.labels.any():
                kind = recording.kind
                styles[kind, recording.style if kind is Kind.STILL else str(recording.labels.shape)].append(i)
        weights = np.zeros(len(recordings))
        for (kind, _), members in styles.items():
            whole = sum(math.sqrt(len(others)) for (other, _), others in styles.items() if other is kind)
            weights[members] = shares[kind] / (whole * math.sqrt(len(members)))
        if not weights.any():
            raise StorageError(f"{folder} holds no labelled recording of a kind that the mix asks for.")
        self._ladder = np.cumsum(weights / weights.sum())

    def sample(self) -> Clip:
        """The next clip; draws that show no object large enough on frame 0 are thrown away."""
        for _ in range(1000):
            pick = min(int(np.searchsorted(self._ladder, self._rng.random())), len(self.recordings) - 1)
            clip = self._draw(self.recordings[pick])
            if clip is not None:
                return clip
        raise StorageError(f"1000 draws gave no object of {self.min_area} pixels or more: labels too small.")

    def _draw(self, recording: Recording) -> Clip | None:
        rng = self._rng
        stride = 4 if recording.kind is Kind.VIDEO else 2
        if recording.kind in (Kind.TRACKED, Kind.STACK) and rng.random() < 0.2:
            stride = 0
        reversible = recording.kind is not Kind.PHANTOM
        moments = augment.choose_moments(rng, len(recording.labels), self.frames, stride, reversible)
        standing = bool(moments.min() == moments.max())
        labels = [recording.labels[t] for t in moments]
        view = augment.aim(rng, labels[0], self.size)
        if view is None:
            return None
        shrink = math.sqrt(4 * view.half_height * view.half_width) / self.size
        level = min(max(round(math.log2(shrink)), 0), len(recording.levels) - 1)
        pixels = recording.levels[level]
        planes = [pixels[moments[0]]] * self.frames if standing else [pixels[t] for t in moments]
        lively = recording.kind is Kind.STILL and pixels.ndim == 3 and rng.random() < self.lively
        if self.frames > 1 and lively:
            planes, labels, view = self._enliven(planes[0], labels[0], level, view)
            standing, level = False, 0
        motion: augment.Motion | None = None
        if standing:
            motion = augment.Motion() if self.frames > 1 or rng.random() < 0.3 else None
        elif rng.random() < 0.5:
            motion = augment.Motion(0.03, math.radians(3), 0.02, 0.01)
        height, width = labels[0].shape
        grid = augment.sampling_grid(rng, view, (height, width), self.frames, self.size, motion)
        seen = augment.sample_labels(labels, grid)
        masks = augment.choose_masks(rng, seen, self.max_objects, self.min_area, 1 / shrink)
        if masks is None:
            return None
        images = augment.sample_images(planes, level, grid)
        if self.frames > 1 and rng.random() < 0.1:
            images, masks = augment.disturb(rng, images, masks)
        classes = augment.classify(seen[0], complete=recording.kind not in (Kind.TRACKED, Kind.VIDEO))
        if recording.kind is Kind.VIDEO:
            classes[:] = -1
        return Clip(augment.restain(rng, images), masks, classes)

    def _enliven(
        self, plane: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint16], level: int, view: augment.View
    ) -> tuple[list[npt.NDArray[np.uint8]], list[npt.NDArray[np.uint16]], augment.View]:
        """A movie or stack of what the view shows, with a margin round it, in its own pixels."""
        scale = 2**level
        coarse = labels[scale // 2 :: scale, scale // 2 :: scale][: plane.shape[0], : plane.shape[1]]
        y, x, half_height, half_width = (
            v / scale for v in (view.y, view.x, view.half_height, view.half_width)
        )
        top, left = max(int(y - 1.2 * half_height), 0), max(int(x - 1.2 * half_width), 0)
        cut = (slice(top, int(y + 1.2 * half_height) + 1), slice(left, int(x + 1.2 * half_width) + 1))
        make = depth_collage if self.deep and self._rng.random() < self.deep else collage
        movie, truth = make(
            self._rng, plane[: coarse.shape[0], : coarse.shape[1]][cut], coarse[cut], self.frames
        )
        moved = augment.View(y - top, x - left, half_height, half_width)
        return list(movie), list(truth), moved


class _Feed(IterableDataset[Clip]):
    """The clips of one worker; sources are built where they run, and forked workers share the recordings."""

    def __init__(self, arguments: dict[str, Any], seed: int, recordings: Sequence[Recording] | None) -> None:
        self._arguments, self._seed, self._recordings = arguments, seed, recordings

    def __iter__(self) -> Iterator[Clip]:
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1 if info else torch.get_num_threads())
        seed = int(np.random.SeedSequence([self._seed, info.id if info else 0]).generate_state(1)[0])
        source = ClipSource(**self._arguments, seed=seed, recordings=self._recordings)
        while True:
            yield source.sample()


class ClipLoader:
    """Endless batches (images, masks, valid, classes) from background processes; inline with `workers=0`.

    Images are float32 (B, T, 3, S, S); masks bool (B, T, `max_objects`, S, S), the last ones empty; valid,
    bool (B, O), says which are real; classes int8 (B, S, S). `source` holds `ClipSource`'s arguments.
    """

    def __init__(self, batch: int, workers: int = 1, seed: int = 0, **source: Any) -> None:
        forked = "fork" in torch.multiprocessing.get_all_start_methods()
        shared: Sequence[Recording] | None = source.pop("recordings", None)
        if shared is None and (forked or not workers):
            shared = ClipSource(**source).recordings
        self._objects = int(source.get("max_objects", 8))
        self._batches = iter(
            DataLoader(
                _Feed(source, seed, shared),
                batch_size=batch,
                num_workers=workers,
                collate_fn=self._collate,
                multiprocessing_context="fork" if forked and workers else None,
                prefetch_factor=4 if workers else None,
            )
        )

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
        return self

    def __next__(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        pixels, masks, valid, classes = next(self._batches)
        return pixels.float().div_(255), masks, valid, classes

    def _collate(self, clips: list[Clip]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Stack and pad; pixels travel between processes as uint8."""
        images = np.stack([clip.images for clip in clips]).transpose(0, 1, 4, 2, 3)
        pixels = torch.from_numpy(np.rint(images * 255).astype(np.uint8))
        frames, _, height, width = clips[0].masks.shape
        masks = torch.zeros(len(clips), frames, self._objects, height, width, dtype=torch.bool)
        valid = torch.zeros(len(clips), self._objects, dtype=torch.bool)
        for b, clip in enumerate(clips):
            masks[b, :, : clip.masks.shape[1]] = torch.from_numpy(clip.masks)
            valid[b, : clip.masks.shape[1]] = True
        classes = torch.from_numpy(np.stack([clip.classes for clip in clips]))
        return pixels, masks, valid, classes
