"""The Labels layer that shows the masks of a session, and takes strokes painted by hand."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import napari
import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels

from napari_sam2.plugin.layer_axes import LayerAxes
from napari_sam2.plugin.transform import placed
from napari_sam2.prompts import FrameIndex
from napari_sam2.session.region import Region

# Labels beyond this many bytes lie in a temporary file, which the system pages in and out.
IN_MEMORY = 2**29


@dataclass(frozen=True, slots=True)
class Stroke:
    """What a hand painted on a frame.

    Attributes
    ----------
    frame
        Where.
    labels
        (H, W): the labels there now.
    changed
        Which labels gained or lost pixels; 0, the ground, is left out.
    """

    frame: FrameIndex
    labels: npt.NDArray[Any]
    changed: tuple[int, ...]


class LabelLayer:
    """Mirrors the labels of a session, region by region.

    Parameters
    ----------
    viewer
        Where the layer is shown.
    image
        What the labels belong to; the layer takes over where it lies.
    axes
        Of the image.
    on_paint
        Told of every stroke.
    on_made
        Given the layer whenever it is made.
    layer
        One to take over from another session of the same image.
    """

    def __init__(
        self,
        viewer: napari.components.ViewerModel,
        image: Image,
        axes: LayerAxes,
        on_paint: Callable[[Stroke], None],
        on_made: Callable[[Labels], object],
        layer: Labels | None = None,
    ) -> None:
        self._viewer = viewer
        self._image = image
        self._axes = axes
        self._on_paint = on_paint
        self._on_made = on_made
        self._labels = _zeros((axes.frames, *axes.plane))
        self._patches: dict[FrameIndex, list[tuple[Region, npt.NDArray[Any]]]] = {}
        self._lock = threading.Lock()
        self.layer: Labels | None = layer
        if layer is not None:
            layer.data = axes.spread(self._labels)
            layer.events.paint.connect(self._painted)
            self.follow()

    @property
    def labels(self) -> npt.NDArray[Any]:
        """(frames, H, W): what the layer shows, once `flush` has been called."""
        return self._labels

    def ensure(self) -> Labels:
        """Return the layer, which is made anew if somebody deleted it; the selection stays as it is."""
        if self.layer is None or self.layer not in self._viewer.layers:
            selected, active = set(self._viewer.layers.selection), self._viewer.layers.selection.active
            layer = Labels(
                self._axes.spread(self._labels),
                name=f"{self._image.name}: objects",
                opacity=0.5,
                **placed(self._image, self._axes.origin),
            )
            layer.preserve_labels = False
            layer.events.paint.connect(self._painted)
            self.layer = self._viewer.add_layer(layer)
            self._viewer.layers.selection = selected
            self._viewer.layers.selection.active = active
            self._on_made(layer)
        return self.layer

    def put(self, frame: FrameIndex, region: Region, labels: npt.NDArray[Any]) -> None:
        """Note new labels (H, W) of a region; from any thread. `flush` shows them."""
        with self._lock:
            self._patches.setdefault(frame, []).append((region, labels))

    def flush(self, on_screen: FrameIndex) -> frozenset[FrameIndex]:
        """Write what was noted, draw it if it is on screen, and return the frames that changed."""
        with self._lock:
            patches, self._patches = self._patches, {}
        if patches:
            self.ensure()
        for frame, parts in patches.items():
            for region, labels in parts:
                self._labels[frame][region.slices] = labels
        if on_screen in patches and self.layer is not None:
            self.layer.refresh(extent=False, thumbnail=False, highlight=False)
        return frozenset(patches)

    def color(self, label: int) -> npt.NDArray[np.float64]:
        """Return the colour of an object, red, green, blue and opacity from 0 to 1."""
        layer = self.layer
        found = None if layer is None else layer.get_color(label)
        return np.array([0.5, 0.5, 0.5, 1.0]) if found is None else np.asarray(found, np.float64)

    def follow(self) -> None:
        """Lie where the image lies now."""
        if self.layer is not None:
            for name, value in placed(self._image, self._axes.origin).items():
                setattr(self.layer, name, value)

    def release(self) -> Labels | None:
        """Let go of the layer, which stays, and return it."""
        layer, self.layer = self.layer, None
        if layer is not None:
            layer.events.paint.disconnect(self._painted)
        return layer

    def remove(self) -> None:
        """Take the layer out of the viewer."""
        if self.layer is not None and self.layer in self._viewer.layers:
            self._viewer.layers.remove(self.layer)
        self.layer = None

    def _painted(self, event: Any) -> None:
        """Gather the frames and labels that a stroke changed."""
        axis = self._axes.frame_axis
        touched: dict[FrameIndex, set[int]] = {}
        for where, values in _atoms(event.value):
            for frame in (0,) if axis is None else _places(where[axis]):
                touched.setdefault(frame, set()).update(values)
        for frame, values in touched.items():
            self._on_paint(Stroke(frame, self._labels[frame].copy(), tuple(sorted(values - {0}))))


def _zeros(shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """Make room for labels, on disk where there is too much of it."""
    if int(np.prod(shape)) * 2 <= IN_MEMORY:
        return np.zeros(shape, np.uint16)
    file = tempfile.TemporaryFile(prefix="napari-sam2-labels-")  # noqa: SIM115
    labels = np.memmap(file, np.uint16, "w+", shape=shape)
    weakref.finalize(labels, file.close)
    return labels


def _atoms(item: Any) -> list[tuple[tuple[Any, ...], set[int]]]:
    """Return where a stroke went in the data, and which labels were there before or are there now.

    A part of a stroke is (indices, before, after), from napari 0.9.2 on (slices, mask, before, after).
    """
    found = []
    for where, *middle, after in item if isinstance(item, list) else [item]:
        values = {*np.unique(middle[-1]).tolist(), *np.unique(after).tolist()}
        found.append((tuple(where), {int(value) for value in values}))
    return found


def _places(where: Any) -> list[int]:
    """Return the numbers that a slice, a number or an array of numbers stands for."""
    if isinstance(where, slice):
        return list(range(where.start, where.stop))
    return [int(one) for one in np.unique(np.atleast_1d(where))]
