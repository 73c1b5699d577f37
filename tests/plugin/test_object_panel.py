"""The object table: what it shows, and what it asks for."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from napari_sam2.model.sam2 import SAM2
from napari_sam2.plugin.controls import Control
from napari_sam2.plugin.object_table import Row
from napari_sam2.session.session import Session
from tests.conftest import seed_weights
from tests.plugin.recording import RecordingBridge, end, make_session, need_qt, taken_back, wait

NAME, CLASS, FRAMES, LEAST, SHOWN, LOCKED = range(6)


@pytest.fixture(scope="module")
def session(small_model: SAM2) -> Iterator[Session]:
    need_qt()
    lively = copy.deepcopy(small_model)
    seed_weights(lively, 8)
    session = make_session(lively)
    yield session
    session.close()


@pytest.fixture
def bridge(session: Session) -> Iterator[RecordingBridge]:
    with taken_back(session) as lent:
        yield RecordingBridge(lent)


@pytest.fixture
def panel(bridge: RecordingBridge) -> Any:
    from napari_sam2.plugin.object_panel import ObjectPanel

    made = ObjectPanel(bridge)
    made.resize(320, 300)
    made.show()
    wait(lambda: made.tree.row_of(1).covered)
    yield made
    end(made)


def line(panel: Any, number: int) -> Any:
    tree = panel.tree
    pending = [tree.topLevelItem(place) for place in range(tree.topLevelItemCount())]
    while pending:
        item = pending.pop()
        if item.data(NAME, 0x0100) == number:
            return item
        pending += [item.child(place) for place in range(item.childCount())]
    raise AssertionError(f"no line of object {number}")


def press(panel: Any, control: Control) -> None:
    assert panel.buttons[control].isEnabled(), panel.buttons[control].toolTip()
    panel.buttons[control].click()


def key(panel: Any, name: str) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    QTest.keyClick(panel.tree, getattr(Qt.Key, f"Key_{name}"))


def focus(panel: Any) -> None:
    """Give the table the keyboard, which a window without a window manager gets a little later."""
    panel.activateWindow()
    panel.tree.setFocus()
    wait(lambda: panel.tree.hasFocus() and panel.isActiveWindow())


def test_lines_say_what_the_session_says(panel: Any) -> None:
    assert [line(panel, number).text(FRAMES) for number in (1, 2, 3)] == ["8/8", "8/8", "1/8"]
    assert line(panel, 1).text(LEAST) == "1.00"
    assert panel.tree.selection == (1,)
    assert panel.tree.headerItem().text(FRAMES) == "Frames"


def test_choosing_a_line_chooses_the_object_and_the_other_way_round(
    panel: Any, bridge: RecordingBridge
) -> None:
    panel.tree.setCurrentItem(line(panel, 3))
    assert bridge.status.object_id == 3
    bridge.choose_object(2)
    assert panel.tree.selection == (2,)


def test_a_new_object_has_a_line_before_its_first_prompt(panel: Any, bridge: RecordingBridge) -> None:
    press(panel, Control.NEW_OBJECT)
    assert line(panel, 4).font(NAME).italic()
    assert panel.tree.selection == (4,)
    assert not panel.buttons[Control.DELETE].isEnabled()
    assert "Not now: Object 4 has no prompt yet" in panel.buttons[Control.DELETE].toolTip()
    bridge.choose_object(1)
    assert panel.tree.row_of(4) is None


def test_renaming_in_the_line(panel: Any, bridge: RecordingBridge) -> None:
    line(panel, 2).setText(NAME, "  Anna ")
    assert bridge.session.objects[2].name == "Anna"
    assert line(panel, 2).text(NAME) == "Anna"
    line(panel, 2).setText(NAME, "  ")
    assert bridge.session.objects[2].name == "Anna"
    assert line(panel, 2).text(NAME) == "Anna"


def test_renaming_with_the_keyboard(panel: Any, bridge: RecordingBridge) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QLineEdit

    focus(panel)
    key(panel, "F2")
    wait(lambda: panel.tree.findChild(QLineEdit) is not None)
    editor = panel.tree.findChild(QLineEdit)
    QTest.keyClicks(editor, "hmc")  # letters that are keys of the table, but not here
    QTest.keyClick(editor, Qt.Key.Key_Return)
    wait(lambda: bridge.session.objects[1].name == "hmc")


def typing(panel: Any) -> Any:
    """The field that is typed into, once it is there."""
    from qtpy.QtWidgets import QLineEdit

    fields: list[Any] = []
    wait(lambda: fields.extend(filter(QLineEdit.isVisible, panel.tree.findChildren(QLineEdit))) or fields)
    return fields[0]


def closed(panel: Any) -> None:
    from qtpy.QtWidgets import QLineEdit

    wait(lambda: not any(field.isVisible() for field in panel.tree.findChildren(QLineEdit)))


def test_a_class_is_typed_where_it_stands(panel: Any, bridge: RecordingBridge) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    focus(panel)
    where = panel.tree.visualItemRect(line(panel, 3)).center()
    where.setX(panel.tree.header().sectionPosition(CLASS) + 8)
    for click in (QTest.mouseClick, QTest.mouseDClick):
        click(panel.tree.viewport(), Qt.MouseButton.LeftButton, pos=where)
    QTest.keyClicks(typing(panel), " {mitotic} ")
    QTest.keyClick(typing(panel), Qt.Key.Key_Return)
    closed(panel)
    assert [row.label_class for row in bridge.session.objects.values()] == ["", "", "{mitotic}"]
    assert line(panel, 3).text(CLASS) == "{mitotic}"
    assert bridge.said[-1] == "Object 3: class {mitotic}."
    key(panel, "L")
    typing(panel).selectAll()
    QTest.keyClick(typing(panel), Qt.Key.Key_Backspace)
    QTest.keyClick(typing(panel), Qt.Key.Key_Return)
    closed(panel)
    assert bridge.session.objects[3].label_class == ""
    assert bridge.said[-1] == "Object 3: no class any more."


def test_classes_in_use_are_offered_and_taken_for_all_that_are_selected(
    panel: Any, bridge: RecordingBridge
) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    bridge.do(lambda session: session.classify(1, "mitotic"), "Classified.")
    bridge.do(lambda session: session.classify(2, "apoptotic"), "Classified.")
    assert panel.tree.classes == ("apoptotic", "mitotic")
    focus(panel)
    panel.tree.select([2, 3])
    line(panel, 1).setSelected(False)
    key(panel, "L")
    editor = typing(panel)
    editor.selectAll()
    QTest.keyClicks(editor, "MI")
    popup = editor.completer().popup()
    wait(popup.isVisible)
    assert editor.completer().completionCount() == 1
    QTest.keyClick(popup, Qt.Key.Key_Down)
    QTest.keyClick(popup, Qt.Key.Key_Return)
    closed(panel)
    assert [row.label_class for row in bridge.session.objects.values()] == ["mitotic"] * 3
    assert bridge.said[-1] == "Object 2 and Object 3: class mitotic."


def test_a_class_that_is_only_looked_at_stays(panel: Any, bridge: RecordingBridge) -> None:
    bridge.do(lambda session: session.classify(1, "mitotic"), "Classified.")
    steps = len(bridge.session.steps)
    focus(panel)
    panel.tree.select([1, 2, 3])
    key(panel, "L")
    assert typing(panel).text() == "mitotic"
    panel.tree.setFocus()
    closed(panel)
    assert len(bridge.session.steps) == steps


def test_an_object_without_a_prompt_has_no_class_yet(panel: Any) -> None:
    from qtpy.QtWidgets import QLineEdit

    press(panel, Control.NEW_OBJECT)
    panel.tree.itemDoubleClicked.emit(line(panel, 4), CLASS)
    assert panel.tree.findChild(QLineEdit) is None


def test_hide_and_commit_are_turned_on_and_off(panel: Any, bridge: RecordingBridge) -> None:
    press(panel, Control.HIDE)
    assert bridge.session.objects[1].hidden
    assert panel.buttons[Control.HIDE].isChecked()
    press(panel, Control.HIDE)
    assert not bridge.session.objects[1].hidden
    assert not panel.buttons[Control.HIDE].isChecked()
    press(panel, Control.COMMIT)
    assert bridge.session.objects[1].committed
    assert not panel.buttons[Control.DELETE].isEnabled()
    press(panel, Control.COMMIT)
    assert not bridge.session.objects[1].committed


def test_eye_and_lock_in_the_line(panel: Any, bridge: RecordingBridge) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    for column in (SHOWN, LOCKED):
        where = panel.tree.visualItemRect(line(panel, 3)).center()
        where.setX(panel.tree.header().sectionPosition(column) + 8)
        QTest.mouseClick(panel.tree.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert bridge.session.objects[3].hidden
    assert bridge.session.objects[3].committed
    assert not bridge.session.objects[1].hidden


def test_keys_of_the_table(panel: Any, bridge: RecordingBridge) -> None:
    focus(panel)
    key(panel, "H")
    assert bridge.session.objects[1].hidden
    key(panel, "C")
    assert bridge.session.objects[1].committed
    key(panel, "Delete")
    assert 1 in bridge.session.objects
    assert "committed" in bridge.said[-1]
    key(panel, "C")
    key(panel, "Delete")
    assert 1 not in bridge.session.objects


def test_merging_a_selection(panel: Any, bridge: RecordingBridge) -> None:
    assert not panel.buttons[Control.MERGE].isEnabled()
    panel.tree.select([1, 3])
    press(panel, Control.MERGE)
    assert set(bridge.session.objects) == {1, 2}
    assert bridge.said[-1] == "Merged Object 3 into Object 1."
    assert panel.tree.known == (1, 2)


def test_deleting_goes_on_with_another(panel: Any, bridge: RecordingBridge) -> None:
    panel.tree.select([1, 2])
    press(panel, Control.DELETE)
    assert set(bridge.session.objects) == {3}
    assert bridge.said[-1] == "Deleted Object 1 and Object 2."
    assert bridge.status.object_id == 3


def test_dividing_asks_the_bridge(panel: Any, bridge: RecordingBridge) -> None:
    assert not panel.buttons[Control.DIVIDE].isEnabled()
    assert "On the first frame" in panel.buttons[Control.DIVIDE].toolTip()
    bridge.show_frame(4)
    press(panel, Control.DIVIDE)
    assert bridge.asked == [("divide", 1, 4)]


def test_daughters_are_indented_and_leave_with_their_mother(panel: Any, bridge: RecordingBridge) -> None:
    bridge.do(lambda session: session.divide(4, 2, [4, 5]), "Divided.")
    bridge.do(lambda session: session.divide(6, 5, [6, 7]), "Divided.")
    mother = line(panel, 2)
    assert [mother.child(place).data(NAME, 0x0100) for place in (0, 1)] == [4, 5]
    assert line(panel, 7).parent() is line(panel, 5)
    bridge.do(lambda session: session.delete(2), "Deleted.")
    assert set(panel.tree.known) == {1, 3, 4, 5, 6, 7}
    assert line(panel, 5).parent() is None
    assert line(panel, 7).parent() is line(panel, 5)


def test_lines_that_stay_the_same_are_not_touched(panel: Any) -> None:
    touched = []
    panel.tree.itemChanged.connect(lambda item, column: touched.append(item))
    rows = [panel.tree.row_of(number) for number in panel.tree.known]
    panel.tree.show_rows(rows, "frame")
    assert touched == []
    panel.tree.show_rows([*rows[:2], Row(3, "Clara", None, 1, 8, 1.0)], "frame")
    assert {id(item) for item in touched} == {id(line(panel, 3))}


def test_menu_has_every_verb(panel: Any) -> None:
    actions = {action.text(): action for action in panel.menu().actions()}
    assert list(actions) == ["New", "Merge", "Divide", "Hide", "Commit", "Delete", "Rename", "Class"]
    assert not actions["Merge"].isEnabled()
    assert "Ctrl+click" in actions["Merge"].toolTip()


def test_without_a_session(panel: Any, bridge: RecordingBridge) -> None:
    bridge.session = None
    bridge.renew()
    bridge.events.image_changed.emit()
    assert panel.tree.known == ()
    assert not any(button.isEnabled() for button in panel.buttons.values())


def test_nothing_moves_and_320_pixels_are_enough(panel: Any, bridge: RecordingBridge) -> None:
    places = {control: button.geometry() for control, button in panel.buttons.items()}
    bridge.do(lambda session: session.rename(1, "A nucleus with a name that is much too long"), "Renamed.")
    bridge.do(lambda session: session.hide(1), "Hid.")
    bridge.session = None
    bridge.renew()
    bridge.events.image_changed.emit()
    panel.layout().activate()
    assert places == {control: button.geometry() for control, button in panel.buttons.items()}
    assert panel.minimumSizeHint().width() <= 320


def test_a_long_class_leaves_room_for_names(panel: Any, bridge: RecordingBridge) -> None:
    header, metrics = panel.tree.header(), panel.tree.fontMetrics()
    width = header.sectionSize(CLASS)
    bridge.do(lambda session: session.classify(1, "metaphase, out of focus, at the rim"), "Classified.")
    assert width < header.sectionSize(CLASS)
    beside = panel.tree.indentation() + panel.tree.iconSize().width()
    assert header.sectionSize(NAME) > beside + metrics.horizontalAdvance("Object 12")
    assert header.length() <= panel.tree.viewport().width() <= 320
    panel.resize(600, 300)
    wait(lambda: header.sectionSize(CLASS) >= metrics.horizontalAdvance(line(panel, 1).text(CLASS)))
    panel.resize(320, 300)
    wait(lambda: header.length() <= 320)
    assert "out of focus" in line(panel, 1).toolTip(CLASS)
