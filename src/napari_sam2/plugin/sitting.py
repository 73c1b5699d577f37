"""One image layer with its session, the worker that owns it, and the layers that show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Layer

from napari_sam2.plugin.label_layer import LabelLayer, Stroke
from napari_sam2.plugin.opening import Opened
from napari_sam2.plugin.outline import filled
from napari_sam2.plugin.prompt_edits import Edit, Given, Key, edits
from napari_sam2.plugin.prompt_layers import PromptLayers
from napari_sam2.plugin.transform import PLACING
from napari_sam2.prompts import Direction, FrameIndex, ObjectId
from napari_sam2.session.region import Region
from napari_sam2.session.session import Session
from napari_sam2.session.stale import stale
from napari_sam2.session.worker import Ticket, Worker


class Sitting:
    """Keeps the layers and the session in step: gestures go to the worker, results come back by region.

    All methods are for the main thread.

    Parameters
    ----------
    viewer, image
        The image layer.
    opened
        Its session, which belongs to the worker from now on, and what its axes are.
    deliver
        Told of every ticket that is done, in the worker's thread.
    on_made
        Given every layer that is made.
    before
        An earlier sitting at the same image; its layers are taken over.
    """

    label_layer: LabelLayer
    prompt_layers: PromptLayers

    def __init__(
        self,
        viewer: napari.components.ViewerModel,
        image: Image,
        opened: Opened,
        deliver: Callable[[Ticket], object],
        on_made: Callable[[Layer], object] = lambda layer: None,
        before: Sitting | None = None,
    ) -> None:
        session, axes = opened.session, opened.axes
        self.image = image
        self.axes = axes
        self.session = session
        self.kept = opened.kept
        self.earlier = opened.earlier
        self.worker = Worker(session, deliver)
        self.object_id: ObjectId = max(session.objects, default=0) or 1
        self.positive = True
        self._said: dict[Key, Given] = {}
        self._waiting: set[Ticket] = set()
        labels = None if before is None else before.label_layer.release()
        points, shapes = (None, None) if before is None else before.prompt_layers.release()
        self.label_layer = LabelLayer(viewer, image, axes, self._painted, on_made, labels)
        self.prompt_layers = PromptLayers(
            viewer,
            image,
            axes,
            self.label_layer.color,
            self._prompts_changed,
            self._outlined,
            on_made,
            points,
            shapes,
        )
        session.events.labels_changed.connect(self._fetch)
        for name in PLACING:
            moved = getattr(image.events, name, None)
            if moved is not None:
                moved.connect(self._moved)
        self.ensure_layers()
        if session.steps:
            self.worker.do(self._fetch_all, "show")

    def ensure_layers(self) -> None:
        """Make the layers that are missing; a deleted one is a wish to rebuild it."""
        self.label_layer.ensure()
        self.prompt_layers.ensure()
        self.choose(self.object_id)
        self.mirror()

    def facts(self, frame: FrameIndex) -> dict[str, Any]:
        """Return the fields of `Status` that the session decides, with `frame` on screen."""
        session, here = self.session, self.session.objects.get(self.object_id)
        return {
            "image": self.image.name,
            "along": self.axes.along,
            "frames": self.axes.frames,
            "frame": frame,
            "object_id": self.object_id,
            "objects": len(session.objects),
            "prompted": any(session.prompts(key) for key in session.objects),
            "here": here is not None and frame in session.prompts(self.object_id),
            "committed": here is not None and here.committed,
            "masks": any(session.masks(key) for key in session.objects),
            "positive": self.positive,
            "running": self.worker.busy,
            "unfinished": session.unfinished is not None,
            "can_undo": session.can_undo,
            "can_redo": session.can_redo,
            "restorable": self.earlier is not None and not session.steps,
        }

    # What the user says

    def next_object(self) -> ObjectId:
        """Let the next prompts be for an object without any, a daughter or a new one; return its number."""
        said = {key.object_id for key in self._said}
        empty = [
            key
            for key, row in self.session.objects.items()
            if key not in said | {self.object_id} and not (row.committed or self.session.masks(key))
        ]
        self.choose(min(empty, default=max([*self.session.objects, *said], default=0) + 1))
        return self.object_id

    def choose(self, object_id: ObjectId) -> None:
        """Let the next prompts be for this object."""
        self.object_id = object_id
        self.prompt_layers.say_next(object_id, self.positive)
        layer = self.label_layer.layer
        if layer is not None:
            layer.selected_label = object_id

    def turn(self, positive: bool) -> None:
        """Let the next prompts say what belongs to the object, or what does not."""
        self.positive = positive
        self.prompt_layers.say_next(self.object_id, positive)

    def divide(self, frame: FrameIndex) -> tuple[ObjectId, ObjectId]:
        """Note that the current object divides, and return its daughters, who are still to be clicked."""
        mother, first = self.object_id, max(self.session.objects, default=0) + 1
        daughters = (first, first + 1)
        self.worker.do(lambda session: session.divide(frame, mother, daughters), "divide")
        self.choose(first)
        return daughters

    def clear(self, frame: FrameIndex) -> Ticket:
        """Take back the current object's prompts on a frame."""
        return self._clear(frame, self.object_id)

    def propagate(
        self, direction: Direction, start: FrameIndex | None = None, stop: FrameIndex | None = None
    ) -> Ticket:
        """Follow what has changed, or everything if nothing has; a propagation that was stopped goes on.

        Parameters
        ----------
        direction
            Which way.
        start, stop
            First and last frame; by default from what changed to the end.
        """
        session = self.session
        changed = {key: at for key, at in stale(session.steps, direction).items() if self._follows(key)}
        left = session.unfinished
        if not changed and left is not None and left.direction is direction and start is None is stop:
            return self.worker.resume()
        if start is None and changed and direction is Direction.FORWARD:
            start = min(changed.values())
        return self.worker.propagate(sorted(changed) or None, start, stop, direction)

    def _follows(self, object_id: ObjectId) -> bool:
        row = self.session.objects.get(object_id)
        return row is not None and not row.committed and bool(self.session.prompts(object_id))

    # What the layers say

    def _prompts_changed(self) -> None:
        now = self.prompt_layers.read()
        for edit in edits(self._said, now):
            self._say(edit)
        self._said = now

    def _say(self, edit: Edit) -> None:
        key, given = edit.key, edit.given
        if not given:
            self._clear(key.frame, key.object_id)
            return
        ask = self.worker.prompt
        self._wait_for(ask(key.frame, key.object_id, given.clicks, given.box, None, edit.replace))

    def _clear(self, frame: FrameIndex, object_id: ObjectId) -> Ticket:
        return self._wait_for(self.worker.do(lambda session: session.clear(frame, object_id), "clear"))

    def _outlined(self, vertices: np.ndarray[Any, Any], kind: str, positive: bool) -> None:
        """Make a mask of a polygon or a stroke: it joins the mask that is there, or is cut out of it."""
        frame = self.axes.frame(vertices[0])
        corners = np.array([self.axes.pixel(vertex) for vertex in vertices])
        mask = filled(corners, kind, self.axes.plane, self.prompt_layers.stroke)
        found = self.session.masks(self.object_id) if self.object_id in self.session.objects else {}
        if frame in found:
            present = found[frame].runs.decode()
            mask = present | mask if positive else present & ~mask
        self._wait_for(self.worker.prompt(frame, self.object_id, mask=mask))

    def _painted(self, stroke: Stroke) -> None:
        """Make a prompt of what a hand painted, for every object that it changed."""
        for object_id in stroke.changed:
            row = self.session.objects.get(object_id)
            if row is not None and row.committed:
                self._fetch(stroke.frame, Region(0, 0, *self.axes.plane))
                continue
            mask = stroke.labels == object_id
            if mask.any():
                self._wait_for(self.worker.prompt(stroke.frame, object_id, mask=mask))
            elif row is not None:
                self._clear(stroke.frame, object_id)

    def _moved(self, event: Any = None) -> None:
        self.label_layer.follow()
        self.prompt_layers.follow()

    # What the session says

    def done(self, ticket: Ticket) -> None:
        """Note that a request has come to its end."""
        self._waiting.discard(ticket)
        self.mirror()

    def mirror(self) -> None:
        """Show the prompts that the session has, unless some of what the user said is still on its way."""
        if self._waiting:
            return
        self._said = {
            Key(frame, object_id): given
            for object_id in self.session.objects
            for frame, prompt in self.session.prompts(object_id).items()
            if (given := Given(prompt.clicks, prompt.box))
        }
        self.prompt_layers.show(self._said)

    def _fetch(self, frame: FrameIndex, region: Region) -> None:
        """Bring labels over; in the worker's thread."""
        self.label_layer.put(frame, region, self.session.labels(frame)[region.slices])

    def _fetch_all(self, session: Session) -> None:
        for frame in sorted({frame for key in session.objects for frame in session.masks(key)}):
            self._fetch(frame, Region(0, 0, *session.shape))

    def _wait_for(self, ticket: Ticket) -> Ticket:
        self._waiting.add(ticket)
        if ticket.outcome is not None:
            self._waiting.discard(ticket)
        return ticket

    def close(self) -> None:
        """End the worker and the session; what it saved stays, and so do the layers."""
        self.session.events.labels_changed.disconnect(self._fetch)
        for name in PLACING:
            moved = getattr(self.image.events, name, None)
            if moved is not None:
                moved.disconnect(self._moved)
        self.worker.close()
        self.session.close()
