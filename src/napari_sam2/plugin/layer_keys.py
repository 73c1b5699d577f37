"""Our keys in our layers, where napari has others on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from napari.layers import Labels, Layer, Shapes
from napari.utils.action_manager import action_manager

from napari_sam2.plugin.keymap import Action, Shortcut, bind

# What the stop key does in napari's layers as long as nothing is running.
_ESCAPES: Mapping[type[Layer], str] = {
    Labels: "napari:reset_polygon",
    Shapes: "napari:finish_drawing_shape",
}


class LayerKeys:
    """Undo and redo for the whole session, and stop where something is running.

    Parameters
    ----------
    table
        The keys.
    undo, redo, stop
        What they do.
    running
        Whether there is something to stop.
    """

    def __init__(
        self,
        table: Mapping[Action, Shortcut],
        undo: Callable[[], object],
        redo: Callable[[], object],
        stop: Callable[[], object],
        running: Callable[[], bool],
    ) -> None:
        self._table = table
        self._verbs = {Action.UNDO: undo, Action.REDO: redo}
        self._stop = stop
        self._running = running

    def give(self, layer: Layer) -> None:
        """Let the keys work in a layer."""
        verbs = dict(self._verbs)
        escape = _ESCAPES.get(type(layer))
        if escape is not None:
            verbs[Action.STOP] = lambda: self._stop_or(escape)
        bind(layer, self._table, verbs)

    def _stop_or(self, escape: str) -> None:
        if self._running():
            self._stop()
        else:
            action_manager.trigger(escape)
