"""The sittings of a viewer: one for each image layer that was ever chosen, and which one it is now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import napari
from napari.layers import Image, Layer
from psygnal import Signal, SignalGroup

from napari_sam2.plugin import autosaves, opening
from napari_sam2.plugin.choices import Choices
from napari_sam2.plugin.layer_axes import LayerAxes
from napari_sam2.plugin.opening import Opened
from napari_sam2.plugin.sitting import Sitting
from napari_sam2.session.commands import Command
from napari_sam2.session.worker import Ticket


class SittingEvents(SignalGroup):
    """What happens to the choice of an image; emitted in the main thread.

    Attributes
    ----------
    left
        The image was left; there is no sitting for a moment.
    ready
        (sitting): it can be worked with.
    failed
        (error): no session could be begun, or something went wrong that stops nothing.
    """

    left = Signal()
    ready = Signal(Sitting)
    failed = Signal(Exception)
    _opened = Signal(object)


class Sittings:
    """Begins sittings in the background, and ends them with their layers.

    Parameters
    ----------
    viewer
        Whose image layers they are.
    deliver
        Told of every ticket that is done, in a worker's thread.
    on_made
        Given every layer that is made.
    """

    def __init__(
        self,
        viewer: napari.components.ViewerModel,
        deliver: Callable[[Ticket], object],
        on_made: Callable[[Layer], object],
    ) -> None:
        self.events = SittingEvents()
        self.current: Sitting | None = None
        self.image: Image | None = None
        self.axes: LayerAxes | None = None
        self._viewer = viewer
        self._deliver = deliver
        self._on_made = on_made
        self._known: dict[Image, Sitting] = {}
        self._retired: dict[Image, Sitting] = {}
        self._thread = ThreadPoolExecutor(1, "napari-sam2 opening")
        self._asked: Future[Opened] | None = None
        self.events._opened.connect(self._take, thread="main")
        viewer.layers.events.removed.connect(self._layer_removed)

    def images(self) -> list[Image]:
        """Return the layers that can be segmented."""
        return [layer for layer in self._viewer.layers if isinstance(layer, Image)]

    def guess(self, layer: Image) -> LayerAxes:
        """Read the axes of a layer.

        Raises
        ------
        ImageError
            It has too many.
        """
        data = opening.full_size(layer.data)
        return LayerAxes.guess(
            data.shape,
            getattr(layer, "axis_labels", ()),
            [str(unit) for unit in getattr(layer, "units", ())],
            layer.rgb,
            layer.world_to_data(self._viewer.dims.point[-layer.ndim :]),
        )

    def choose(self, layer: Image, axes: LayerAxes, choices: Choices, steps: Sequence[Command] = ()) -> None:
        """Work on a layer: its sitting is taken up again, or a new one begins in the background."""
        known = self._known.get(layer)
        if known is not None and known.axes != axes:
            self._retire(layer)
            known = None
        self.leave()
        self.image, self.axes = layer, axes
        if known is not None:
            self.current = known
            self.events.ready.emit(known)
            return
        self._ask(opening.begin, layer.data, axes, choices, layer.source.path, steps)

    def begin_again(self, choices: Choices) -> None:
        """Do what was done so far again, with other choices."""
        layer, axes = self.image, self.axes
        if layer is None or axes is None:
            return
        known = self._known.get(layer)
        steps = () if known is None else known.session.steps
        self.leave()
        self._retire(layer)
        self.choose(layer, axes, choices, steps)

    def take_up(self, file: Path) -> None:
        """Go on with a saved session of the chosen image, in the place of the present one."""
        if self.image is not None and self.axes is not None:
            self._ask(opening.take_up, file, self.image.data, self.axes)

    def leave(self) -> None:
        """Leave the image; what is running is stopped, and its sitting waits to be taken up again."""
        self._asked = None
        if self.current is not None:
            self.current.worker.cancel()
        had = self.image is not None
        self.current = self.image = self.axes = None
        if had:
            self.events.left.emit()

    def close(self) -> None:
        """End all; what was saved stays."""
        self._viewer.layers.events.removed.disconnect(self._layer_removed)
        self._asked = self.current = None
        for sitting in self._known.values():
            _close(sitting)
        self._known.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _ask(self, call: Callable[..., Opened], *given: Any) -> None:
        asked = self._asked = self._thread.submit(call, *given)
        asked.add_done_callback(self.events._opened.emit)

    def _take(self, asked: Future[Opened]) -> None:
        """Begin with a session that was opened in the background; one that nobody waits for is closed."""
        if asked.cancelled():
            return
        error = asked.exception()
        if asked is not self._asked or self.image is None:
            if error is None:
                asked.result().session.close()
            return
        self._asked = None
        if error is not None:
            self.events.failed.emit(error)
            return
        opened = asked.result()
        self._retire(self.image)
        before = self._retired.pop(self.image, None)
        self.axes = opened.axes
        sitting = Sitting(self._viewer, self.image, opened, self._deliver, self._on_made, before)
        self._known[self.image] = self.current = sitting
        self.events.ready.emit(sitting)
        if opened.trouble is not None:
            self.events.failed.emit(opened.trouble)

    def _retire(self, layer: Image) -> None:
        """End the sitting at an image; its layers wait for the next one there."""
        known = self._known.pop(layer, None)
        if known is not None:
            _close(known)
            self._retired[layer] = known

    def _layer_removed(self, event: Any) -> None:
        layer = event.value
        if layer is self.image:
            self.leave()
        if isinstance(layer, Image):
            self._retire(layer)
            gone = self._retired.pop(layer, None)
            if gone is not None:
                gone.prompt_layers.remove()
                gone.label_layer.remove()


def _close(sitting: Sitting) -> None:
    """End a sitting; where nothing was done there is nothing to keep."""
    empty = not sitting.session.steps
    sitting.close()
    if empty and sitting.kept is not None:
        autosaves.delete(sitting.kept)
