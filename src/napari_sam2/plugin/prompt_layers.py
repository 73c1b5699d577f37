"""The Points and Shapes layers that hold a session's prompts; layers that are there can be adopted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import napari
import numpy as np
from napari.layers import Image, Points, Shapes
from qtpy.QtCore import QTimer

from napari_sam2.plugin.held_drawing import hold_drawing
from napari_sam2.plugin.layer_axes import LayerAxes
from napari_sam2.plugin.prompt_edits import Given, Key
from napari_sam2.plugin.transform import placed
from napari_sam2.prompts import Box, Click, ObjectId

OBJECT, POLARITY = "object_id", "polarity"
POSITIVE, NEGATIVE = "positive", "negative"
# Plus and minus differ by shape and by rim.
SYMBOLS = {POSITIVE: "cross", NEGATIVE: "hbar"}
RIMS = {POSITIVE: "white", NEGATIVE: "black"}

AnyLayer = TypeVar("AnyLayer", Points, Shapes)


class PromptLayers:
    """Shows clicks and boxes, and says what the user did to them.

    Parameters
    ----------
    viewer
        Where the layers are shown.
    image
        What the prompts belong to.
    axes
        Of the image.
    color
        Returns the colour of an object.
    on_change
        Called after the user added, moved or deleted something.
    on_outline
        Called with the vertices (n, ndim), the kind and the polarity of a polygon, an ellipse or a stroke.
    on_made
        Given every layer that is made or adopted.
    points, shapes
        Layers to take over from another session of the same image.
    """

    def __init__(
        self,
        viewer: napari.components.ViewerModel,
        image: Image,
        axes: LayerAxes,
        color: Callable[[ObjectId], Any],
        on_change: Callable[[], None],
        on_outline: Callable[[np.ndarray[Any, Any], str, bool], None],
        on_made: Callable[[Points | Shapes], object],
        points: Points | None = None,
        shapes: Shapes | None = None,
    ) -> None:
        self._viewer = viewer
        self._image = image
        self._axes = axes
        self._color = color
        self._on_change = on_change
        self._on_outline = on_outline
        self._on_made = on_made
        self._silent = False
        self._current = (1, True)
        self.points: Points | None = points
        self.shapes: Shapes | None = shapes
        for layer in (points, shapes):
            if layer is not None:
                self._listen(layer)
        self.follow()

    def ensure(self) -> tuple[Points, Shapes]:
        """Return both layers, made anew where somebody deleted one; the selection stays as it is."""
        if self.shapes is None or self.shapes not in self._viewer.layers:
            self.shapes = self._add(
                Shapes(
                    ndim=self._axes.ndim,
                    name=f"{self._image.name}: boxes",
                    features=_features([], []),
                    edge_width=self.stroke,
                    face_color=[0, 0, 0, 0],
                    **placed(self._image),
                )
            )
        if self.points is None or self.points not in self._viewer.layers:
            self.points = self._add(
                Points(
                    ndim=self._axes.ndim,
                    name=f"{self._image.name}: clicks",
                    features=_features([], []),
                    size=self._size,
                    border_width=0.1,
                    **placed(self._image),
                )
            )
        return self.points, self.shapes

    def adopt(self, layer: Points | Shapes) -> None:
        """Take a layer that the user has already for the prompts; without features its entries are the
        current object's, positive."""
        with self._quietly():
            object_id, positive = self._current
            table = layer.features
            if OBJECT not in table:
                table = table.assign(**{OBJECT: object_id})
            if POLARITY not in table:
                table = table.assign(**{POLARITY: POSITIVE if positive else NEGATIVE})
            layer.features = table
            self._listen(layer)
            if isinstance(layer, Points):
                self.points = layer
            else:
                self.shapes = layer
        self.say_next(*self._current)
        self._on_change()

    def say_next(self, object_id: ObjectId, positive: bool) -> None:
        """Set what the next gesture is for."""
        self._current = (object_id, positive)
        for layer in (self.points, self.shapes):
            if layer is not None:
                self._set_next(layer, object_id, positive)

    def _set_next(self, layer: Points | Shapes, object_id: ObjectId, positive: bool) -> None:
        polarity = POSITIVE if positive else NEGATIVE
        with self._quietly():
            layer.selected_data = set()
            layer.feature_defaults = {OBJECT: object_id, POLARITY: polarity}
            if isinstance(layer, Points):
                layer.current_face_color = self._color(object_id)
                layer.current_border_color = RIMS[polarity]
                layer.current_symbol = SYMBOLS[polarity]
                layer.current_size = self._size
            else:
                layer.current_edge_color = self._color(object_id)
                layer.current_face_color = "transparent"
                layer.current_edge_width = self.stroke

    def read(self) -> dict[Key, Given]:
        """Return what the layers say, by object and frame; what lies outside the image is left out."""
        clicks: dict[Key, list[Click]] = {}
        if self.points is not None:
            for where, object_id, positive in _rows(self.points):
                key = Key(self._axes.frame(where), object_id)
                y, x = self._axes.pixel(where)
                if self._axes.inside(key.frame, y, x) and self._axes.holds(where):
                    clicks.setdefault(key, []).append(Click(y, x, positive))
        boxes: dict[Key, Box] = {}
        if self.shapes is not None:
            kinds = self.shapes.shape_type
            for kind, (corners, object_id, _) in zip(kinds, _rows(self.shapes), strict=True):
                if kind != "rectangle":
                    continue
                pixels = np.array([self._axes.pixel(corner) for corner in corners])
                (y0, x0), (y1, x1) = pixels.min(0).tolist(), pixels.max(0).tolist()
                if y1 > y0 and x1 > x0 and self._axes.holds(corners[0]):
                    boxes[Key(self._axes.frame(corners[0]), object_id)] = Box(y0, x0, y1, x1)
        return {
            key: Given(tuple(clicks.get(key, ())), boxes.get(key)) for key in dict.fromkeys((*clicks, *boxes))
        }

    def show(self, prompts: Mapping[Key, Given]) -> None:
        """Show these prompts, whatever the layers showed."""
        if prompts == self.read():
            return
        points, shapes = self.ensure()
        clicks = [(key, click) for key, given in prompts.items() for click in given.clicks]
        boxes = [(key, given.box) for key, given in prompts.items() if given.box is not None]
        with self._quietly():
            where = [self._axes.position(key.frame, click.y, click.x) for key, click in clicks]
            points.data = np.array(where).reshape(-1, self._axes.ndim)
            signs = [POSITIVE if click.positive else NEGATIVE for _, click in clicks]
            points.features = _features([key.object_id for key, _ in clicks], signs)
            if clicks:
                points.symbol = [SYMBOLS[sign] for sign in signs]
                points.border_color = [RIMS[sign] for sign in signs]
                points.face_color = np.array([self._color(key.object_id) for key, _ in clicks])
                points.size = self._size
            shapes.data = []
            corners = [self._corners(key, box) for key, box in boxes]
            if corners:
                shapes.add_rectangles(
                    corners,
                    edge_color=np.array([self._color(key.object_id) for key, _ in boxes]),
                    face_color="transparent",
                    edge_width=self.stroke,
                )
            shapes.features = _features([key.object_id for key, _ in boxes], [POSITIVE] * len(boxes))
        self.say_next(*self._current)

    def follow(self) -> None:
        """Lie where the image lies now."""
        for layer in (self.points, self.shapes):
            if layer is not None:
                for name, value in placed(self._image).items():
                    setattr(layer, name, value)

    def release(self) -> tuple[Points | None, Shapes | None]:
        """Let go of the layers, which stay, and return them."""
        points, shapes = self.points, self.shapes
        self.points = self.shapes = None
        for layer in (points, shapes):
            if layer is not None:
                layer.events.data.disconnect(self._changed)
        if points is not None:
            points.mouse_drag_callbacks.remove(self._pressed)
        return points, shapes

    def remove(self) -> None:
        """Take the layers out of the viewer."""
        for layer in (self.points, self.shapes):
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self.points = self.shapes = None

    @property
    def _size(self) -> float:
        """Of a point, in pixels of the image: about what a fingertip covers on a screen."""
        return max(3.0, max(self._axes.plane) / 48)

    @property
    def stroke(self) -> float:
        """Width of a line, in pixels of the image."""
        return max(0.5, max(self._axes.plane) / 300)

    def _corners(self, key: Key, box: Box) -> np.ndarray[Any, Any]:
        ends = ((box.y0, box.x0), (box.y0, box.x1), (box.y1, box.x1), (box.y1, box.x0))
        return np.stack([self._axes.position(key.frame, y, x) for y, x in ends])

    def _add(self, layer: AnyLayer) -> AnyLayer:
        selected, active = set(self._viewer.layers.selection), self._viewer.layers.selection.active
        self._viewer.add_layer(layer)
        self._viewer.layers.selection = selected
        self._viewer.layers.selection.active = active
        if isinstance(layer, Shapes):
            hold_drawing(self._viewer, layer)
        self._listen(layer)
        return layer

    def _listen(self, layer: Points | Shapes) -> None:
        layer.events.data.connect(self._changed)
        self._on_made(layer)
        if isinstance(layer, Points):
            # Before napari's own, which adds the point when the button is let go.
            layer.mouse_drag_callbacks.insert(0, self._pressed)

    def _pressed(self, layer: Points, event: Any) -> None:
        """Let Shift make a click say the opposite."""
        object_id, positive = self._current
        self._set_next(layer, object_id, positive ^ ("Shift" in event.modifiers))

    def _changed(self, event: Any) -> None:
        action = str(getattr(event, "action", "changed"))
        if self._silent or action.endswith("ing") or event.source not in (self.points, self.shapes):
            return
        if isinstance(event.source, Shapes) and action == "added":
            # Later: napari has not finished drawing what is to be taken away.
            QTimer.singleShot(0, self._take_outlines)
        self._on_change()

    def _take_outlines(self) -> None:
        """Hand polygons and strokes over: they become masks and leave the layer."""
        layer = self.shapes
        if layer is None:
            return
        kinds = list(layer.shape_type)
        outlines = [index for index, kind in enumerate(kinds) if kind != "rectangle"]
        if not outlines:
            return
        rows = list(_rows(layer))
        taken = [(rows[index], kinds[index]) for index in outlines]
        with self._quietly():
            layer.selected_data = set(outlines)
            layer.remove_selected()
        for (vertices, _, positive), kind in taken:
            self._on_outline(vertices, kind, positive)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        before, self._silent = self._silent, True
        try:
            yield
        finally:
            self._silent = before


def _features(objects: Sequence[int], signs: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
    return {OBJECT: np.array(objects, dtype=np.int64), POLARITY: np.array(signs, dtype=object)}


def _rows(layer: Points | Shapes) -> Iterator[tuple[Any, ObjectId, bool]]:
    """Yield data, object and polarity of every entry."""
    table = layer.features
    for index, data in enumerate(layer.data):
        object_id = table[OBJECT].iloc[index] if OBJECT in table else 1
        sign = table[POLARITY].iloc[index] if POLARITY in table else POSITIVE
        number = 1 if object_id != object_id else int(object_id)  # a row of somebody else may be NaN
        yield data, max(number, 1), str(sign) not in (NEGATIVE, "False", "0", "-")
