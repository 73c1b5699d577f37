"""Keys can be changed, and do not get into each other's way."""

import pytest

from napari_sam2.errors import Sam2Error
from napari_sam2.plugin.keymap import SHORTCUTS, Action, bind, shortcuts


def test_every_action_has_a_key_of_its_own() -> None:
    assert set(SHORTCUTS) == set(Action)
    assert len({shortcut.key for shortcut in SHORTCUTS.values()}) == len(Action)


def test_keys_as_people_write_them() -> None:
    assert SHORTCUTS[Action.REDO].shown == "Ctrl+Shift+Z"
    assert SHORTCUTS[Action.STOP].shown == "Esc"


def test_a_key_is_changed() -> None:
    table = shortcuts({"forward": "P", "nonsense": "X", "undo": " "})
    assert table[Action.FORWARD].key == "P"
    assert table[Action.UNDO] == SHORTCUTS[Action.UNDO]


def test_two_actions_on_one_key() -> None:
    with pytest.raises(Sam2Error, match="'new_object' and 'forward'"):
        shortcuts({"forward": "N"})


def test_bound_keys_call_their_verbs() -> None:
    bound = {}

    class Target:
        def bind_key(self, key: str, function: object, overwrite: bool) -> None:
            bound[key] = function

    pressed = []
    bind(Target(), SHORTCUTS, {action: lambda action=action: pressed.append(action) for action in Action})
    for shortcut in SHORTCUTS.values():
        bound[shortcut.key](None)
    assert pressed == list(SHORTCUTS)
