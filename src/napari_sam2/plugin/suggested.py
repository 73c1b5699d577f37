"""The divisions that a session suggests, looked for while nothing else is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from psygnal import Signal

from napari_sam2.errors import PromptError
from napari_sam2.plugin.background import Background
from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.notices import tell
from napari_sam2.prompts import FrameIndex, ObjectId
from napari_sam2.session.objects import FrameMask
from napari_sam2.session.session import Session
from napari_sam2.session.suggestion import SuggestedDivision

PAUSE_MS = 300


@dataclass(frozen=True, slots=True)
class Place:
    """An object that seems to divide, and where."""

    mother: ObjectId
    frame: FrameIndex

    @classmethod
    def of(cls, suggestion: SuggestedDivision) -> Place:
        """Return the place of a suggestion."""
        return cls(suggestion.mother, suggestion.frame)


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What was found in the masks of one object."""

    masks: Mapping[FrameIndex, FrameMask]
    found: tuple[SuggestedDivision, ...]


def looked_at(session: Session, before: Mapping[ObjectId, Looked]) -> dict[ObjectId, Looked]:
    """Return what each object's masks suggest, looking only at those that changed; from any thread.

    Parameters
    ----------
    session
        Whose objects; hidden and committed ones are left out, and those that divide already.
    before
        What was found earlier.
    """
    mothers = {division.mother for division in session.lineage.values()}
    found = {}
    for number, row in session.objects.items():
        if row.hidden or row.committed or number in mothers:
            continue
        try:
            masks, earlier = session.masks(number), before.get(number)
            if earlier is not None and earlier.masks == masks:  # frame masks are equal only to themselves
                found[number] = earlier
            else:
                found[number] = Looked(masks, session.suggested_divisions([number]))
        except PromptError:
            continue  # deleted since
    return found


class Suggested:
    """Keeps the list of suggested divisions, without those that the user dismissed.

    Attributes
    ----------
    changed
        Emitted in the main thread after `all` has changed.
    """

    changed = Signal()

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._session: Session | None = None
        self._looked: dict[ObjectId, Looked] = {}
        self._dismissed: set[Place] = set()
        self._wanted = False
        self._background = Background(
            self._begin, self._take, lambda error: bridge.say(tell(error)), lambda: PAUSE_MS
        )
        bridge.events.objects_changed.connect(self._ask)
        bridge.events.image_changed.connect(self._ask)

    @property
    def all(self) -> tuple[SuggestedDivision, ...]:
        """In the order of frames."""
        every = (one for looked in self._looked.values() for one in looked.found)
        left = (one for one in every if Place.of(one) not in self._dismissed)
        return tuple(sorted(left, key=lambda one: (one.frame, one.mother)))

    def want(self, wanted: bool) -> None:
        """Say whether anybody looks at the list; nothing is computed for nobody."""
        self._wanted = wanted
        self._ask()

    def dismiss(self, suggestion: SuggestedDivision) -> None:
        """Leave a suggestion out from now on."""
        self._dismissed.add(Place.of(suggestion))
        self.changed.emit()

    def _ask(self, *_: Any) -> None:
        if self._bridge.session is not self._session:
            self._session = self._bridge.session
            self._looked, self._dismissed = {}, set()
            self.changed.emit()
        # A propagation ends with objects_changed, and its masks are looked at then.
        if self._wanted and not self._bridge.status.running:
            self._background.ask()

    def _begin(self) -> Callable[[], tuple[Session, dict[ObjectId, Looked]]] | None:
        session, before = self._session, self._looked
        if session is None or self._bridge.status.running or not self._wanted:
            return None
        return lambda: (session, looked_at(session, before))

    def _take(self, found: tuple[Session, dict[ObjectId, Looked]]) -> None:
        session, looked = found
        if session is self._session:
            before, self._looked = self.all, looked
            if before != self.all:
                self.changed.emit()
