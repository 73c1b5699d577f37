"""One object in space: its masks on the slices along an axis, run-length coded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.inference.masklet import RunLengths
from napari_sam2.inference.volume import Axis, Voxel
from napari_sam2.prompts import FrameIndex, ObjectId

Mask = npt.NDArray[np.bool_]
Bounds = tuple[slice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A body; slices on which it is not are left out.

    Attributes
    ----------
    shape
        (Z, Y, X) of the volume.
    axis
        What its slices follow.
    masks
        By slice, each (rows, columns) of the plane across the axis, in voxels of the volume.
    scores
        By slice, 0 to 1: how sure the network is.
    """

    shape: tuple[int, ...]
    axis: Axis = Axis.Z
    masks: Mapping[FrameIndex, RunLengths] = field(default_factory=dict)
    scores: Mapping[FrameIndex, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        voxels: Mask,
        score: float = 1.0,
        shape: tuple[int, ...] | None = None,
        corner: tuple[int, ...] = (0, 0, 0),
        axis: Axis = Axis.Z,
    ) -> Body:
        """Return what a boolean volume (z, y, x) holds.

        It may be a part of the whole of a `shape`, that begins at a `corner`.
        """
        whole: tuple[int, ...] = shape or voxels.shape
        rows, columns = (part.number for part in axis.plane)
        masks = {}
        for index, part in enumerate(np.moveaxis(voxels, axis.number, 0), corner[axis.number]):
            if part.any():
                plane = np.zeros((whole[rows], whole[columns]), bool)
                y, x = corner[rows], corner[columns]
                plane[y:, x:][: len(part), : len(part[0])] = part
                masks[index] = RunLengths.encode(plane)
        return cls(tuple(whole), axis, masks, dict.fromkeys(masks, score))

    @property
    def size(self) -> int:
        """Its voxels."""
        return sum(runs.area for runs in self.masks.values())

    @property
    def score(self) -> float:
        """How sure the network is, 0 to 1: the mean over its slices; 0 of an empty one."""
        return float(np.mean(list(self.scores.values()))) if self.scores else 0.0

    def bounds(self) -> Bounds | None:
        """Return the smallest part of the volume (Z, Y, X) that holds it; None of an empty one."""
        if not self.masks:
            return None
        ends = np.array([_ends(runs) for runs in self.masks.values()])
        low, high = ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)
        parts = {self.axis: slice(min(self.masks), max(self.masks) + 1)}
        for place, part in enumerate(self.axis.plane):
            parts[part] = slice(int(low[place]), int(high[place]))
        return tuple(parts[part] for part in Axis)

    def voxels(self, bounds: Bounds | None = None) -> Mask:
        """Return a part of it as a boolean volume (z, y, x), by default its `bounds`."""
        bounds = bounds or self.bounds() or (slice(0, 0),) * 3
        rows, columns = (bounds[part.number] for part in self.axis.plane)
        first = bounds[self.axis.number].start
        dense = np.zeros([part.stop - part.start for part in bounds], bool)
        view = np.moveaxis(dense, self.axis.number, 0)
        for frame, runs in self.masks.items():
            if 0 <= frame - first < len(view):
                view[frame - first] = runs.decode()[rows, columns]
        return dense

    def along(self, axis: Axis) -> Body:
        """Return the same body by slices along another axis; each gets its mean score."""
        bounds = self.bounds()
        if axis is self.axis or bounds is None:
            return self if axis is self.axis else Body(self.shape, axis)
        corner = tuple(part.start for part in bounds)
        return Body.of(self.voxels(bounds), self.score, self.shape, corner, axis)

    def shared(self, other: Body) -> int:
        """Return how many voxels two bodies share."""
        bounds = self.bounds()
        if bounds is None or not other.masks:
            return 0
        return int(np.count_nonzero(self.voxels(bounds) & other.voxels(bounds)))

    def overlap(self, other: Body) -> float:
        """Return the intersection over union of two bodies; 0 where both are empty."""
        shared = self.shared(other)
        either = self.size + other.size - shared
        return shared / either if either else 0.0

    def middle(self) -> Voxel:
        """Return its centre of mass, which need not lie in it; of an empty one it is an error."""
        bounds = self.bounds()
        assert bounds is not None, "an empty body has no middle"
        places = np.argwhere(self.voxels(bounds)).mean(axis=0)
        z, y, x = (float(at) + part.start for at, part in zip(places, bounds, strict=True))
        return Voxel(z, y, x)


def halves(body: Body, first: Voxel, second: Voxel, spacing: Sequence[float]) -> tuple[Body, Body]:
    """Return what of a body is nearer to one of two places, and what is nearer to the other.

    `spacing` is the distance of slices, rows and columns.
    """
    bounds = body.bounds() or (slice(0, 0),) * 3
    voxels = body.voxels(bounds)
    at = np.meshgrid(*(np.arange(part.start, part.stop) for part in bounds), indexing="ij", sparse=True)
    far = [
        sum(
            ((line - place) * step) ** 2
            for line, place, step in zip(at, (to.z, to.y, to.x), spacing, strict=True)
        )
        for to in (first, second)
    ]
    nearer = np.asarray(far[0] <= far[1])
    corner = tuple(part.start for part in bounds)
    one, other = (Body.of(voxels & own, body.score, body.shape, corner) for own in (nearer, ~nearer))
    return one, other


def label_planes(bodies: Mapping[ObjectId, Body], shape: tuple[int, ...]) -> Iterator[npt.NDArray[Any]]:
    """Yield the labels of a volume (Z, Y, X), a plane (Y, X) at a time.

    A voxel that several bodies claim goes to the one of the higher score on this slice, then to the lower
    number. uint16, or uint32 where a number needs it.
    """
    dtype = np.uint16 if max(bodies, default=0) < 2**16 else np.uint32
    upright = {number: body.along(Axis.Z) for number, body in bodies.items()}
    for z in range(shape[0]):
        plane = np.zeros(shape[1:3], dtype)
        here = [
            (body.scores[z], -number, body.masks[z]) for number, body in upright.items() if z in body.masks
        ]
        for _, negative, runs in sorted(here, key=lambda entry: entry[:2]):
            plane[runs.decode()] = -negative
        yield plane


def label_volume(bodies: Mapping[ObjectId, Body], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return `label_planes` as one array (Z, Y, X)."""
    return np.stack(list(label_planes(bodies, shape)))


def _ends(runs: RunLengths) -> npt.NDArray[np.intp]:
    """Return [[first row, first column], [last row + 1, last column + 1]] of a mask that is not empty."""
    mask = runs.decode()
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return np.array([[rows[0], columns[0]], [rows[-1] + 1, columns[-1] + 1]])
