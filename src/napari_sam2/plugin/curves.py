"""The confidence curves of a session, kept up while it works."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from weakref import WeakValueDictionary

from psygnal import Signal

from napari_sam2.errors import PromptError
from napari_sam2.plugin.background import Background
from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.confidence_curve import Curve, refreshed
from napari_sam2.plugin.notices import tell
from napari_sam2.prompts import ObjectId
from napari_sam2.session.session import Session

# While the network works: it and this share the processor.
BUSY_MS = 500
IDLE_MS = 60
# After so many seconds what is done is shown before the rest is computed: long sequences, many objects.
PATIENCE = 0.3


@dataclass(frozen=True, slots=True)
class Computed:
    """Curves of a session by object; `complete` unless time ran out."""

    session: Session
    curves: dict[ObjectId, Curve]
    complete: bool


class Curves:
    """A curve for every object; computed in the background, only where masks changed.

    Attributes
    ----------
    changed
        Emitted in the main thread after `all` has changed.
    """

    changed = Signal()

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._session: Session | None = None
        self._curves: dict[ObjectId, Curve] = {}
        self._background = Background(
            self._begin, self._take, lambda error: bridge.say(tell(error)), self._pause
        )
        bridge.events.masks_changed.connect(self._ask)
        bridge.events.objects_changed.connect(self._ask)
        bridge.events.image_changed.connect(self._ask)
        self._ask()

    @classmethod
    def of(cls, bridge: Bridge) -> Curves:
        """Return those of a bridge: all panels share them, and they last as long as one of the panels."""
        found = _known.get(id(bridge))
        if found is None:
            found = _known[id(bridge)] = cls(bridge)
        return found

    @property
    def all(self) -> Mapping[ObjectId, Curve]:
        """By object; what has no mask has no curve."""
        return MappingProxyType(self._curves)

    def _pause(self) -> int:
        return BUSY_MS if self._bridge.status.running else IDLE_MS

    def _ask(self, *_: Any) -> None:
        if self._bridge.session is not self._session:
            self._session = self._bridge.session
            self._curves = {}
            self.changed.emit()
        self._background.ask()

    def _begin(self) -> Callable[[], Computed] | None:
        session, before = self._session, self._curves
        if session is None:
            return None
        return lambda: curves_of(session, before)

    def _take(self, found: Computed) -> None:
        curves = found.curves
        same = curves.keys() == self._curves.keys() and all(
            curve is self._curves[number] for number, curve in curves.items()
        )
        if found.session is self._session and not same:
            self._curves = curves
            self.changed.emit()
        if not found.complete:
            self._background.ask()


_known: WeakValueDictionary[int, Curves] = WeakValueDictionary()


def curves_of(session: Session, before: Mapping[ObjectId, Curve], patience: float = PATIENCE) -> Computed:
    """Return the curves of all objects that have masks; from any thread.

    Parameters
    ----------
    session
        Whose objects.
    before
        Curves as they were; what is still true of them is taken over.
    patience
        After so many seconds, the other objects keep the curves that they had.
    """
    found: dict[ObjectId, Curve] = {}
    end, complete = time.monotonic() + patience, True
    for number in session.objects:
        earlier = before.get(number)
        try:
            masks, prompted = session.masks(number), session.prompts(number)
        except PromptError:
            continue  # deleted since
        if not masks:
            continue
        if time.monotonic() < end:
            found[number] = refreshed(earlier, masks, prompted)
        else:
            if earlier is not None:
                found[number] = earlier
            complete = False
    return Computed(session, found, complete)
