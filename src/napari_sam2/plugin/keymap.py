"""Keys: one table, bound to the viewer and again to our own layers where napari has another meaning there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from napari_sam2.errors import Sam2Error


class Action(Enum):
    """What a key does."""

    NEW_OBJECT = "new_object"
    POLARITY = "polarity"
    FORWARD = "forward"
    BACKWARD = "backward"
    BOTH = "both"
    STOP = "stop"
    RESUME = "resume"
    UNDO = "undo"
    REDO = "redo"
    NEXT_WORST = "next_worst"
    DIVIDE = "divide"


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A key, and what its tooltip says.

    Attributes
    ----------
    key
        As napari writes it.
    text
        What it does, in a few words.
    """

    key: str
    text: str

    @property
    def shown(self) -> str:
        """The key as people write it."""
        return self.key.replace("-", "+").replace("Control", "Ctrl").replace("Escape", "Esc")


# None of these letters means anything to napari in a Points, Shapes or Labels layer, but for the last three.
SHORTCUTS: Mapping[Action, Shortcut] = {
    Action.NEW_OBJECT: Shortcut("N", "next clicks are for a new object"),
    Action.POLARITY: Shortcut("Q", "switch between plus and minus"),
    Action.FORWARD: Shortcut("G", "follow to the end"),
    Action.BACKWARD: Shortcut("Shift-G", "follow to the beginning"),
    Action.BOTH: Shortcut("Alt-G", "follow both ways"),
    Action.RESUME: Shortcut("Shift-R", "go on with what was stopped"),
    Action.NEXT_WORST: Shortcut("W", "go to the mask most in doubt"),
    Action.DIVIDE: Shortcut("Shift-D", "the object divides on this frame"),
    Action.STOP: Shortcut("Escape", "stop following"),
    Action.UNDO: Shortcut("Control-Z", "undo"),
    Action.REDO: Shortcut("Control-Shift-Z", "redo"),
}


def shortcuts(changed: Mapping[str, str]) -> dict[Action, Shortcut]:
    """Return the table with the keys that the user chose.

    Parameters
    ----------
    changed
        Keys by the names of actions; unknown names and empty keys are ignored.

    Raises
    ------
    Sam2Error
        Two actions have one key.
    """
    found = dict(SHORTCUTS)
    for action, shortcut in SHORTCUTS.items():
        key = changed.get(action.value, "").strip()
        if key:
            found[action] = Shortcut(key, shortcut.text)
    used: dict[str, Action] = {}
    for action, shortcut in found.items():
        other = used.setdefault(shortcut.key, action)
        if other is not action:
            raise Sam2Error(
                f"The key {shortcut.shown} stands for both {other.value!r} and {action.value!r}: change one "
                "of them in Preferences > SAM 2."
            )
    return found


def bind(target: Any, table: Mapping[Action, Shortcut], verbs: Mapping[Action, Callable[[], object]]) -> None:
    """Let keys call verbs, on a viewer or on a layer.

    Parameters
    ----------
    target
        What has napari's ``bind_key``.
    table, verbs
        The key and the function of each action.
    """
    for action, verb in verbs.items():

        def press(_: Any, verb: Callable[[], object] = verb) -> None:
            verb()

        press.__doc__ = f"SAM 2: {table[action].text}."
        target.bind_key(table[action].key, press, overwrite=True)


def release(target: Any, table: Mapping[Action, Shortcut]) -> None:
    """Give the keys back."""
    for shortcut in table.values():
        target.bind_key(shortcut.key, None, overwrite=True)
