"""What the window says: the status as one value, and everybody who wants to know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import napari
from psygnal import Signal, SignalGroup

from napari_sam2.plugin.notices import tell
from napari_sam2.plugin.status import Model, Status


class BridgeEvents(SignalGroup):
    """What panels listen to; always emitted in the main thread.

    Attributes
    ----------
    status_changed
        (status): anything in it.
    objects_changed
        The object table, prompts or lineage changed.
    masks_changed
        (frames): masks of these frames changed; some twelve times a second at the most.
    image_changed
        Another image, other axes, another mapping or model: `Bridge.session` is another one, or None.
    """

    status_changed = Signal(Status)
    objects_changed = Signal()
    masks_changed = Signal(frozenset)
    image_changed = Signal()


class Board:
    """Owns the status, and tells when it changes.

    Parameters
    ----------
    viewer
        Its status line shows the message.
    """

    def __init__(self, viewer: napari.components.ViewerModel) -> None:
        self.events = BridgeEvents()
        self.status = Status()
        self._viewer = viewer

    def set(self, **changes: Any) -> None:
        """Change fields of the status."""
        status = replace(self.status, **changes)
        if status != self.status:
            if status.message != self.status.message:
                self._viewer.status = status.message
            self.status = status
            self.events.status_changed.emit(status)

    def say(self, message: str) -> None:
        """Put a sentence into the status line."""
        self.set(message=message)

    def warn(self, error: BaseException) -> None:
        """Tell what went wrong and what to do."""
        self.say(tell(error))

    def clear(self) -> None:
        """Forget the image; the message and the tool stay."""
        self.status = Status(message=self.status.message, tool=self.status.tool)
        self.events.image_changed.emit()
        self.events.objects_changed.emit()
        self.events.status_changed.emit(self.status)

    def fail(self, error: BaseException) -> None:
        """Tell that there is no session, and why."""
        self.set(model=Model.FAILED)
        self.warn(error)
