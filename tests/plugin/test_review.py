"""The review strip, the family tree and the list of suggested divisions."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from napari_sam2.model.sam2 import SAM2
from napari_sam2.plugin.controls import Control, controls_for
from napari_sam2.plugin.strip_scale import Spot
from napari_sam2.session.session import Session
from tests.conftest import seed_weights
from tests.plugin.recording import RecordingBridge, disc, end, make_session, need_qt, taken_back, wait


@pytest.fixture(scope="module")
def session(small_model: SAM2) -> Iterator[Session]:
    need_qt()
    lively = copy.deepcopy(small_model)
    seed_weights(lively, 8)
    session = make_session(lively)
    for _ in session.propagate([3]):
        pass
    yield session
    session.close()


@pytest.fixture
def bridge(session: Session) -> Iterator[RecordingBridge]:
    with taken_back(session) as lent:
        yield RecordingBridge(lent)


@pytest.fixture
def dock(bridge: RecordingBridge, monkeypatch: pytest.MonkeyPatch) -> Any:
    from napari_sam2.plugin import review_dock

    monkeypatch.setattr(review_dock, "bridge_of", lambda viewer: bridge)
    made = review_dock.ReviewDock(None)
    made.resize(320, 500)
    made.show()
    wait(lambda: len(made.review_panel._curves.all) == 3)
    yield made
    end(made)


def pixels(widget: Any) -> np.ndarray:
    image = widget.grab().toImage()
    return np.array([[image.pixel(x, y) for x in range(image.width())] for y in range(image.height())])


def click(widget: Any, x: float, y: float, double: bool = False) -> None:
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    act = QTest.mouseDClick if double else QTest.mouseClick
    act(widget, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))


def scale_of(strip: Any) -> Any:
    return strip._picture.scale(strip.width(), strip.height())


def test_a_click_in_the_strip_goes_there(dock: Any, bridge: RecordingBridge) -> None:
    strip = dock.review_panel.strip
    for frame in (5, 0, 7):
        click(strip, scale_of(strip).x(frame), 40)
        assert bridge.status.frame == frame


def test_dragging_goes_along(dock: Any, bridge: RecordingBridge) -> None:
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    strip = dock.review_panel.strip
    scale, seen = scale_of(strip), []
    bridge.events.status_changed.connect(lambda status: seen.append(status.frame))
    places = [QPoint(round(scale.x(frame)), 40) for frame in (1, 2, 4)]
    QTest.mousePress(strip, Qt.MouseButton.LeftButton, pos=places[0])
    from qtpy.QtCore import QEvent, QPointF
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    for place in places[1:]:
        moved = QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(place),
            QPointF(strip.mapToGlobal(place)),
            Qt.MouseButton.NoButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(strip, moved)
    assert seen == [1, 2, 4]


def test_keys_in_the_strip(dock: Any, bridge: RecordingBridge) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    seen = []
    for key in (Qt.Key.Key_Right, Qt.Key.Key_End, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Home):
        QTest.keyClick(dock.review_panel.strip, key)
        seen.append(bridge.status.frame)
    assert seen == [1, 7, 7, 6, 0]


def test_a_double_click_chooses_the_object(dock: Any, bridge: RecordingBridge) -> None:
    strip = dock.review_panel.strip
    scale, curve = scale_of(strip), strip._picture.curves[3]
    frame = min(range(1, 8), key=curve.levels.__getitem__)
    assert curve.levels[frame] < 0.8
    click(strip, scale.x(frame), scale.y(curve.levels[frame]), double=True)
    assert bridge.status.object_id == 3


def test_tips_tell_object_frame_and_confidence(dock: Any, bridge: RecordingBridge) -> None:
    strip = dock.review_panel.strip
    scale, curve = scale_of(strip), strip._picture.curves[3]
    assert strip.tip(Spot(scale.x(2), scale.y(1.0))) == "Object 1, frame 2: prompted by you"
    frame = min(range(1, 8), key=curve.levels.__getitem__)
    told = strip.tip(Spot(scale.x(frame), scale.y(curve.levels[frame])))
    assert told.startswith(f"Object 3, frame {frame}: confidence {curve.levels[frame]:.2f}")
    bridge.new_object()
    assert strip.tip(Spot(scale.x(2), scale.y(0.5))) == "Frame 2: no mask"


def test_the_strip_shows_curves_cursor_and_current_object(dock: Any, bridge: RecordingBridge) -> None:
    strip = dock.review_panel.strip
    before = pixels(strip)
    assert len(np.unique(before)) > 10
    bridge.show_frame(6)
    moved = pixels(strip)
    columns = np.flatnonzero((moved != before).any(0))
    scale = scale_of(strip)
    assert columns.max() >= int(scale.x(6)) >= columns.min()
    bridge.choose_object(3)
    assert (pixels(strip) != moved).sum() > 50


def test_hidden_objects_have_no_line_unless_they_are_current(dock: Any, bridge: RecordingBridge) -> None:
    bridge.do(lambda session: session.hide(3), "Hid.")
    assert set(dock.review_panel.strip._picture.curves) == {1, 2}
    bridge.choose_object(3)
    assert set(dock.review_panel.strip._picture.curves) == {1, 2, 3}


def test_the_mask_on_screen_in_words(dock: Any, bridge: RecordingBridge) -> None:
    panel = dock.review_panel
    assert panel.line.text() == "prompted by you"
    bridge.choose_object(3)
    bridge.show_frame(4)
    assert panel.line.text().startswith("confidence ")
    bridge.new_object()
    assert panel.line.text() == ""


def test_next_worst_is_asked_for_where_there_are_masks(dock: Any, bridge: RecordingBridge) -> None:
    worst = dock.review_panel.worst
    worst.click()
    assert bridge.asked == ["next worst"]
    assert "(W)" in worst.toolTip()
    bridge.renew(message="")
    bridge.session = None
    bridge.renew()
    assert not worst.isEnabled()
    assert controls_for(bridge.status)[Control.NEXT_WORST] in worst.toolTip()


def test_the_strip_says_what_is_missing(dock: Any, bridge: RecordingBridge) -> None:
    strip = dock.review_panel.strip
    assert strip._empty_text() == ""
    bridge.status = type(bridge.status)(image="cells", frames=1)
    assert "single image" in strip._empty_text()
    click(strip, 100, 40)
    assert bridge.status.frame == 0
    bridge.session = None
    assert "Open an image" in strip._empty_text()


def test_curves_follow_what_changes(dock: Any, bridge: RecordingBridge) -> None:
    curves = dock.review_panel._curves
    kept = curves.all[1]
    bridge.do(lambda session: session.prompt(3, 3, mask=disc(20, 20)), "Prompted.")
    wait(lambda: 3 in curves.all[3].prompted)
    assert curves.all[1] is kept
    bridge.session = None
    bridge.events.image_changed.emit()
    assert curves.all == {}


def test_one_set_of_curves_for_all_panels(dock: Any, bridge: RecordingBridge) -> None:
    from napari_sam2.plugin.curves import Curves

    assert Curves.of(bridge) is dock.review_panel._curves is dock.lineage_tree._curves
    other = RecordingBridge(bridge.session)
    assert Curves.of(other) is not dock.review_panel._curves


def test_curves_of_many_objects_come_in_parts(bridge: RecordingBridge) -> None:
    from napari_sam2.plugin.curves import curves_of

    none = curves_of(bridge.session, {}, patience=-1.0)
    assert (none.curves, none.complete) == ({}, False)
    everything = curves_of(bridge.session, {}, patience=60.0)
    assert (set(everything.curves), everything.complete) == ({1, 2, 3}, True)
    again = curves_of(bridge.session, everything.curves, patience=-1.0)
    assert (again.curves, again.complete) == (everything.curves, False)


def test_families_are_drawn_and_clicked(dock: Any, bridge: RecordingBridge) -> None:
    tree = dock.lineage_tree
    assert tree.layout_shown.bars == ()
    empty = tree.sizeHint().height()
    bridge.do(lambda session: session.divide(4, 2, [4, 5]), "Divided.")
    wait(lambda: tree._curves.all[2].levels.keys() == set(range(4)))
    assert [bar.object_id for bar in tree.layout_shown.bars] == [2, 4, 5]
    assert tree.sizeHint().height() == empty
    assert len(np.unique(pixels(tree))) > 3
    scale = tree._scale()
    row = next(bar.row for bar in tree.layout_shown.bars if bar.object_id == 5)
    click(tree, scale.x(6), tree._y(row))
    assert (bridge.status.object_id, bridge.status.frame) == (5, 6)
    click(tree, scale.x(1), tree._y(row) + 1)
    assert (bridge.status.object_id, bridge.status.frame) == (5, 6)


def suggestions(dock: Any) -> list[str]:
    shown = dock.suggestion_list.list
    return [shown.item(row).text() for row in range(shown.count())]


def choose(dock: Any, row: int) -> None:
    dock.suggestion_list.list.setCurrentRow(row)


def test_a_suggestion_is_shown_and_accepted(dock: Any, bridge: RecordingBridge) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    wait(lambda: suggestions(dock))
    assert "Object 2 divides on frame 4" in suggestions(dock)
    listed = dock.suggestion_list
    assert not listed.accept.isEnabled()
    assert "Choose one" in listed.accept.toolTip()
    choose(dock, suggestions(dock).index("Object 2 divides on frame 4"))
    assert (bridge.status.object_id, bridge.status.frame) == (2, 4)
    QTest.keyClick(listed.list, Qt.Key.Key_Return)
    assert [bridge.session.lineage[number].mother for number in (4, 5)] == [2, 2]
    wait(lambda: "Object 2 divides on frame 4" not in suggestions(dock))


def test_a_suggestion_is_dismissed_for_good(dock: Any, bridge: RecordingBridge) -> None:
    wait(lambda: suggestions(dock))
    for _ in range(len(suggestions(dock))):
        choose(dock, 0)
        dock.suggestion_list.dismiss.click()
    assert suggestions(dock) == []
    looked = dock.suggestion_list._suggested._looked
    bridge.do(lambda session: session.prompt(2, 1, mask=disc(20, 20)), "Prompted.")
    wait(lambda: dock.suggestion_list._suggested._looked is not looked)
    assert "Object 2 divides on frame 4" not in suggestions(dock)
    assert not dock.suggestion_list.accept.isEnabled()


def test_nothing_is_looked_for_while_hidden_or_following(dock: Any, bridge: RecordingBridge) -> None:
    wait(lambda: suggestions(dock))
    suggested = dock.suggestion_list._suggested
    choose(dock, 0)
    wait(lambda: suggested._background.idle)
    bridge.renew(running=True)
    assert not dock.suggestion_list.accept.isEnabled()
    assert "Esc" in dock.suggestion_list.accept.toolTip()
    bridge.events.objects_changed.emit()
    assert suggested._background.idle
    bridge.renew(running=False)
    dock.hide()
    bridge.events.objects_changed.emit()
    assert suggested._background.idle
    dock.show()
    assert not suggested._background.idle


def test_what_was_unchanged_is_not_looked_at_again(bridge: RecordingBridge) -> None:
    from napari_sam2.plugin.suggested import looked_at

    first = looked_at(bridge.session, {})
    assert [one.frame for one in first[2].found] == [4]
    bridge.session.prompt(2, 1, mask=disc(20, 20))
    second = looked_at(bridge.session, first)
    assert second[2] is first[2]
    assert second[1] is not first[1]
    bridge.session.commit(2)
    assert 2 not in looked_at(bridge.session, second)


def test_an_error_in_the_background_is_told() -> None:
    need_qt()
    from psygnal.qt import start_emitting_from_queue

    from napari_sam2.plugin.background import Background

    start_emitting_from_queue(5)
    told: list[BaseException] = []
    taken: list[int] = []

    def compute() -> int:
        if not told:
            raise ValueError("broken")
        return 7

    work = Background(lambda: compute, taken.append, told.append, lambda: 0)
    work.ask()
    wait(lambda: told)
    assert str(told[0]) == "broken"
    work.ask()
    wait(lambda: taken)
    assert taken == [7]


def test_320_pixels_are_enough(dock: Any) -> None:
    assert dock.minimumSizeHint().width() <= 320


def test_the_list_lies_beside_the_rest_in_a_wide_dock(dock: Any) -> None:
    def place() -> Any:
        return dock.suggestion_list.geometry()

    assert place().top() > dock.review_panel.geometry().bottom()
    dock.resize(1000, 300)
    wait(lambda: place().left() > dock.review_panel.geometry().right())
    dock.resize(320, 500)
    wait(lambda: place().top() > dock.review_panel.geometry().bottom())


def test_a_dock_that_was_closed_does_not_listen_any_more(dock: Any, bridge: RecordingBridge) -> None:
    from napari_sam2.plugin.object_panel import ObjectPanel
    from napari_sam2.plugin.review_panel import ReviewPanel

    panels = [ObjectPanel(bridge), ReviewPanel(bridge)]
    heard = len(bridge.events.objects_changed)
    for panel in panels:
        end(panel)
    assert len(bridge.events.objects_changed) < heard
    bridge.choose_object(2)  # fails if it reaches one of them
    bridge.show_frame(3)
    assert dock.review_panel.line.text() == "prompted by you"
