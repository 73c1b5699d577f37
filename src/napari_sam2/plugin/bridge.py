"""Between a viewer and its sessions: what panels and keys ask, and what they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari
from napari.layers import Image, Points, Shapes
from psygnal.qt import start_emitting_from_queue
from qtpy.QtCore import QObject

from napari_sam2.errors import Sam2Error
from napari_sam2.io.export_kind import ExportKind
from napari_sam2.plugin.board import Board
from napari_sam2.plugin.choices import Choices
from napari_sam2.plugin.controls import Control, controls_for
from napari_sam2.plugin.exporting import Exporting
from napari_sam2.plugin.keymap import SHORTCUTS, Action, Shortcut
from napari_sam2.plugin.layer_axes import LayerAxes
from napari_sam2.plugin.layer_keys import LayerKeys
from napari_sam2.plugin.news import News
from napari_sam2.plugin.sitting import Sitting
from napari_sam2.plugin.sittings import Sittings
from napari_sam2.plugin.status import Model, Status, Tool
from napari_sam2.plugin.worst import WorstFrames
from napari_sam2.prompts import Direction, FrameIndex, ObjectId
from napari_sam2.session.confidence import Doubt
from napari_sam2.session.session import Session


class Bridge:
    """The one thing that panels and keys talk to.

    Parameters
    ----------
    viewer
        Whose layers are segmented.
    parent
        What it lives as long as.
    shortcuts
        The keys, for tooltips and for the layers that are made.
    choices
        What sessions begin with.
    """

    def __init__(
        self,
        viewer: napari.components.ViewerModel,
        parent: QObject | None = None,
        shortcuts: Mapping[Action, Shortcut] = SHORTCUTS,
        choices: Choices = Choices(),  # noqa: B008 - frozen
    ) -> None:
        self.viewer = viewer
        self.choices = choices
        self.shortcuts = shortcuts
        self._board = Board(viewer)
        self.events = self._board.events
        start_emitting_from_queue(15)
        self._news = News(self._board, lambda: self.sitting, lambda: self.frame, shortcuts, parent)
        self._worst = WorstFrames(self._show_doubt)
        self.events.masks_changed.connect(self._worst.begin_again)
        self._exporting = Exporting(
            lambda done, total: self.say(f"Written {done} of {total} ... ({self._key(Action.STOP)} stops)"),
            lambda path: self.say(f"Exported {path}."),
            lambda: self.say("Stopped; nothing was exported."),
            self._board.warn,
        )
        keys = LayerKeys(
            shortcuts,
            self.undo,
            self.redo,
            self.cancel,
            lambda: self.status.running or self._exporting.busy,
        )
        self._sittings = Sittings(viewer, self._news.deliver, keys.give)
        self._sittings.events.left.connect(self._board.clear)
        self._sittings.events.ready.connect(self._ready)
        self._sittings.events.failed.connect(self._failed)
        viewer.dims.events.current_step.connect(self._news.look)
        viewer.layers.events.removed.connect(self._layer_removed)

    # What there is

    @property
    def status(self) -> Status:
        """What the window stands at."""
        return self._board.status

    @property
    def sitting(self) -> Sitting | None:
        """The chosen image with its session; None as long as there is none."""
        return self._sittings.current

    @property
    def session(self) -> Session | None:
        """The session of the chosen image, to read from; changes go through the verbs below."""
        return None if self.sitting is None else self.sitting.session

    @property
    def image(self) -> Image | None:
        """The chosen image layer."""
        return self._sittings.image

    @property
    def axes(self) -> LayerAxes | None:
        """What the axes of the chosen image are."""
        return self._sittings.axes

    @property
    def frame(self) -> FrameIndex:
        """The frame on screen."""
        return 0 if self.axes is None else self.axes.frame(self.position)

    @property
    def position(self) -> Any:
        """Where the sliders are, in data coordinates (ndim,) of the image."""
        assert self.image is not None
        return self.image.world_to_data(self.viewer.dims.point[-self.image.ndim :])

    def images(self) -> list[Image]:
        """Return the layers that can be segmented."""
        return self._sittings.images()

    # The image

    def choose_image(self, layer: Image | None, axes: LayerAxes | None = None) -> None:
        """Segment this layer: its session is taken up again, or a new one begins in the background.

        Parameters
        ----------
        layer
            Of the viewer; None for none.
        axes
            What its axes are; read from the layer by default.
        """
        if layer is None:
            self._sittings.leave()
            return
        try:
            found = axes or (self.axes if layer is self.image else None) or self._sittings.guess(layer)
        except Sam2Error as error:
            self._sittings.leave()
            self._failed(error)
            return
        if layer is self.image and found == self.axes:
            return
        self._sittings.choose(layer, found, self.choices)
        if self.sitting is None:
            self._board.set(image=layer.name, along=found.along, frames=found.frames, model=Model.LOADING)
            self.say(f"Reading {layer.name} ...")

    def choose(self, **changes: Any) -> None:
        """Change the model, the device or the mapping (fields of `Choices`).

        A new session begins with it, in which what was done so far is done again.
        """
        self.choices = replace(self.choices, **changes)
        if self.image is not None:
            self.say("Beginning again with the new choice ...")
            self._sittings.begin_again(self.choices)

    def open_session(self, file: Path) -> None:
        """Go on with a saved session of the chosen image, in the place of the present one."""
        self.say(f"Opening {file.name} ...")
        self._sittings.take_up(file)

    def restore(self) -> None:
        """Go on with the session that a crash left behind."""
        if self._may(Control.RESTORE) and self.sitting is not None and self.sitting.earlier is not None:
            self.open_session(self.sitting.earlier)

    # What the user asks for

    def new_object(self) -> None:
        """Let the next prompts be for a new object."""
        if self._may(Control.NEW_OBJECT) and self.sitting is not None:
            number = self.sitting.next_object()
            self._news.look()
            self.say(f"Click object {number}.")
            self.events.objects_changed.emit()

    def choose_object(self, object_id: ObjectId) -> None:
        """Let the next prompts be for this object."""
        if self.sitting is not None and object_id != self.sitting.object_id:
            self.sitting.choose(object_id)
            self._news.look()
            self.events.objects_changed.emit()

    def turn(self, positive: bool) -> None:
        """Let the next prompts say what belongs to the object, or what does not."""
        if self.sitting is not None:
            self.sitting.turn(positive)
        self._board.set(positive=positive)

    def choose_tool(self, tool: Tool) -> None:
        """Take up a tool: its layer is selected, in the mode to draw with it."""
        if not self._may(Control.PROMPT) or self.sitting is None:
            return
        self.sitting.ensure_layers()
        points, shapes = self.sitting.prompt_layers.ensure()
        labels = self.sitting.label_layer.ensure()
        layer, mode = {
            Tool.POINT: (points, "add"),
            Tool.BOX: (shapes, "add_rectangle"),
            Tool.POLYGON: (shapes, "add_polygon_lasso"),
            Tool.PAINT: (labels, "paint"),
        }[tool]
        self.viewer.layers.selection.active = layer
        layer.mode = mode
        labels.selected_label = self.sitting.object_id
        self._board.set(tool=tool)

    def adopt(self, layer: Points | Shapes) -> None:
        """Take a layer that is there already for the prompts of the chosen image."""
        if self._may(Control.PROMPT) and self.sitting is not None:
            self.sitting.prompt_layers.adopt(layer)

    def clear(self) -> None:
        """Take back the current object's prompts on the frame on screen."""
        if self._may(Control.CLEAR) and self.sitting is not None:
            self.sitting.clear(self.frame)

    def propagate(
        self, direction: Direction, start: FrameIndex | None = None, stop: FrameIndex | None = None
    ) -> None:
        """Follow what has changed, or everything if nothing has."""
        control = Control.FORWARD if direction is Direction.FORWARD else Control.BACKWARD
        if self._may(control) and self.sitting is not None:
            self._news.begin_run()
            self.sitting.propagate(direction, start, stop)

    def propagate_both(self, first: FrameIndex | None = None, last: FrameIndex | None = None) -> None:
        """Follow to the end, then back to the beginning."""
        if self._may(Control.BOTH) and self.sitting is not None:
            self._news.begin_run()
            self.sitting.propagate(Direction.FORWARD, None, last)
            self.sitting.propagate(Direction.BACKWARD, None, first)

    def resume(self) -> None:
        """Go on with the propagation that was stopped."""
        if self._may(Control.RESUME) and self.sitting is not None:
            self._news.begin_run()
            self.sitting.worker.resume()

    def cancel(self) -> None:
        """Stop the propagation after the frame that it is at, and what is being written."""
        self._exporting.stop()
        if self.sitting is not None:
            self.sitting.worker.cancel()

    def undo(self) -> None:
        """Take back the newest step."""
        if self._may(Control.UNDO) and self.sitting is not None:
            self.sitting.worker.undo()

    def redo(self) -> None:
        """Do again what was undone last."""
        if self._may(Control.REDO) and self.sitting is not None:
            self.sitting.worker.redo()

    def divide(self) -> None:
        """Let the current object end before this frame; the next clicks are for its daughters."""
        if self._may(Control.DIVIDE) and self.sitting is not None:
            one, other = self.sitting.divide(self.frame)
            self.say(
                f"Click daughter {one} here, then press {self._key(Action.NEW_OBJECT)} and click {other}."
            )

    def do(self, call: Callable[[Session], Any], done: str) -> None:
        """Ask for any short change of the session, such as ``lambda session: session.delete(3)``.

        `done` says in a sentence, with a full stop, what was done.
        """
        if self.sitting is not None:
            self.sitting.worker.do(call, done)

    def show_frame(self, frame: FrameIndex) -> None:
        """Bring a frame onto the screen."""
        image, axes = self.image, self.axes
        if image is None or axes is None or axes.frame_axis is None:
            return
        where = list(self.position)
        where[axes.frame_axis] = frame
        axis = self.viewer.dims.ndim - image.ndim + axes.frame_axis
        self.viewer.dims.set_point(axis, image.data_to_world(where)[axes.frame_axis])

    def next_worst(self) -> None:
        """Go to the object and frame that is most in doubt."""
        if self._may(Control.NEXT_WORST) and self.session is not None:
            self._worst.ask(self.session)

    def _show_doubt(self, doubt: Doubt | None) -> None:
        if doubt is None:
            self.say("No other mask is in doubt.")
            return
        self.choose_object(doubt.object_id)
        self.show_frame(doubt.frame)
        self.say(f"Object {doubt.object_id}, {self.status.word} {doubt.frame}: confidence {doubt.value:.2f}.")

    def script(self) -> str:
        """Return Python that does what was done so far."""
        return "" if self.session is None else self.session.script()

    def save(self, path: Path, overwrite: bool = False) -> None:
        """Write the session file."""
        self.do(lambda session: session.save(path, overwrite), f"Saved {path.name}.")

    def export(self, path: Path, kind: ExportKind | None = None, overwrite: bool = False) -> None:
        """Write labels or tables, in a thread of its own; Esc stops it."""
        if self._may(Control.EXPORT) and self.session is not None:
            self.say(f"Writing {path.name} ...")
            self._exporting.start(self.session.results(), path, kind, overwrite)

    def export_effort(self, path: Path, overwrite: bool = False) -> None:
        """Write how much work each object took."""
        self.do(lambda session: session.export_effort(path, overwrite), f"Exported {path.name}.")

    def close(self) -> None:
        """End all workers; what was saved stays."""
        self._exporting.stop()
        self._worst.close()
        self._news.close()
        self.viewer.dims.events.current_step.disconnect(self._news.look)
        self.viewer.layers.events.removed.disconnect(self._layer_removed)
        self._sittings.close()

    def say(self, message: str) -> None:
        """Put a sentence into the status line."""
        self._board.say(message)

    def _ready(self, sitting: Sitting) -> None:
        sitting.ensure_layers()
        self._news.follow(sitting)
        self.choose_tool(self.status.tool)
        self._news.greet(sitting)

    def _failed(self, error: BaseException) -> None:
        if self.sitting is None:
            self._board.fail(error)
        else:
            self._board.warn(error)

    def _layer_removed(self, event: Any) -> None:
        if self.image is None and isinstance(event.value, Image):
            self.choose_image(next(iter(self.images()), None))

    def _key(self, action: Action) -> str:
        return self.shortcuts[action].shown

    def _may(self, control: Control) -> bool:
        self._news.look()  # what was just done may still be on its way here
        why = controls_for(self.status)[control]
        if why:
            self.say(why)
        return not why
