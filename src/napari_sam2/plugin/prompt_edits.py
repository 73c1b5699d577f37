"""What changed between two tables of prompts, as the fewest things to say to a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from napari_sam2.prompts import Box, Click, FrameIndex, ObjectId


@dataclass(frozen=True, slots=True)
class Key:
    """An object on a frame."""

    frame: FrameIndex
    object_id: ObjectId


@dataclass(frozen=True, slots=True)
class Given:
    """Its clicks and its box, as the prompt layers show them."""

    clicks: tuple[Click, ...] = ()
    box: Box | None = None

    def __bool__(self) -> bool:
        return bool(self.clicks) or self.box is not None


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing to say.

    Attributes
    ----------
    key
        About what.
    given
        The prompts; empty takes back what was said.
    replace
        Whether they take the place of the earlier ones, or join them.
    """

    key: Key
    given: Given
    replace: bool


def edits(before: Mapping[Key, Given], after: Mapping[Key, Given]) -> list[Edit]:
    """Return what leads from one table to the other.

    Clicks that were added to the end are said alone, so that they join whatever was said before; anything
    else says all prompts of that object on that frame anew.
    """
    found = []
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key, Given()), after.get(key, Given())
        if old == new:
            continue
        grown = new.clicks[: len(old.clicks)] == old.clicks and (old.box is None or new.box == old.box)
        if grown and new:
            added = Given(new.clicks[len(old.clicks) :], new.box if new.box != old.box else None)
            found.append(Edit(key, added, replace=False))
        else:
            found.append(Edit(key, new, replace=True))
    return found
