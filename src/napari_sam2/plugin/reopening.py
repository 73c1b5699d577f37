"""Images that came with a session file: once such an image is chosen, its session is taken up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sam2.plugin.bridge import Bridge

SESSION = "napari-sam2 session"
"""Under this name a layer's metadata say which session file it belongs to."""


def session_of(metadata: Mapping[Any, Any]) -> Path | None:
    """Return the session file that a layer came with."""
    path = metadata.get(SESSION)
    return None if path is None else Path(str(path))


class Reopening:
    """Takes up the session of an image that came with one, the first time the image is chosen.

    Parameters
    ----------
    bridge
        Asked to open the session.
    """

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._seen: set[int] = set()
        bridge.events.image_changed.connect(self._image_changed)
        self._image_changed()

    def _image_changed(self) -> None:
        image, session = self._bridge.image, self._bridge.session
        if image is None or session is None or id(image) in self._seen:
            return
        self._seen.add(id(image))
        file = session_of(image.metadata)
        if file is None or session.steps:
            return
        # The session shows its labels itself: those that were read with it would lie over them.
        for layer in self._bridge.viewer.layers:
            if layer is not image and session_of(layer.metadata) == file:
                layer.visible = False
        self._bridge.open_session(file)
