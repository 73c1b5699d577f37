"""The panel of the image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from napari_sam2.imaging.intensity import Channel, IntensityMap
from napari_sam2.imaging.phantoms import moving_nuclei
from tests.plugin.stand_in import StandIn, application, rest, wait

SCENE = moving_nuclei(6, 64, 72, objects=3, divisions=0, radius=7.0, seed=2)


class Desk:
    """A viewer without a window, a stand-in for its bridge, and the panel."""

    def __init__(self) -> None:
        from napari.components import ViewerModel

        from napari_sam2.plugin.image_panel import ImagePanel

        self.viewer = ViewerModel()
        self.bridge = StandIn(self.viewer)
        self.panel = ImagePanel(self.bridge)
        self.panel.show()

    def add(self, image: Any = SCENE.images, **options: Any) -> Any:
        layer = self.viewer.add_image(image, **options)
        self.ready()
        return layer

    def ready(self) -> None:
        wait(lambda: self.bridge.session is not None)
        wait(lambda: "Pixel values" in self.panel.words)

    @property
    def names(self) -> list[str]:
        return [self.panel.layers.itemText(i) for i in range(self.panel.layers.count())]

    def chip(self, index: int, letter: str) -> None:
        """Choose a letter as a user does."""
        box = self.panel.chips._chips[index]
        box.setCurrentText(letter)
        box.activated.emit(box.currentIndex())

    def close(self) -> None:
        self.panel.close()
        self.panel.deleteLater()
        rest(0.05)


@pytest.fixture
def desk() -> Iterator[Desk]:
    application()
    desk = Desk()
    yield desk
    desk.close()


def test_the_first_image_is_chosen_as_it_comes(desk: Desk) -> None:
    assert desk.panel.layers.placeholderText() == "no image open"
    assert not desk.panel.layers.isEnabled()
    assert "Open Sample" in desk.panel.layers.toolTip()
    layer = desk.add(name="nuclei")
    assert desk.bridge.image is layer
    assert desk.panel.layers.currentText() == "nuclei"
    assert desk.panel.chips.words == "6 frames through time."


def test_the_list_follows_the_layers(desk: Desk) -> None:
    layer = desk.add(name="one")
    desk.viewer.add_image(SCENE.images[:, :40], name="two")
    desk.viewer.add_labels(SCENE.labels, name="no image")
    assert desk.names == ["two", "one"]
    assert desk.panel.layers.currentText() == "one"
    layer.name = "uno"
    assert desk.names == ["two", "uno"]
    desk.viewer.layers.move(desk.viewer.layers.index("two"), 0)
    assert desk.names == ["uno", "two"]
    assert desk.panel.layers.currentText() == "uno"
    desk.viewer.layers.remove("two")
    assert desk.names == ["uno"]


def test_another_image_is_chosen_by_the_list(desk: Desk) -> None:
    desk.add(name="one")
    other = desk.viewer.add_image(SCENE.images[:3], name="two")
    desk.panel.layers.setCurrentIndex(0)
    desk.panel.layers.activated.emit(0)
    wait(lambda: desk.bridge.session is not None and len(desk.bridge.session) == 3)
    assert desk.bridge.image is other


def test_two_windows_do_not_mix(desk: Desk) -> None:
    other = Desk()
    desk.add(name="here")
    other.add(SCENE.images[:2], name="there")
    assert (desk.names, other.names) == (["here"], ["there"])
    assert desk.bridge.session is not other.bridge.session
    other.close()


def test_an_axis_is_called_something_else(desk: Desk) -> None:
    desk.add()
    desk.chip(0, "Z")
    wait(lambda: desk.bridge.axes is not None and desk.bridge.axes.letters == "ZYX")
    desk.ready()
    assert desk.bridge.session.frame_axis == "Z"
    assert desk.panel.chips.words == "6 slices through depth."


def test_axes_that_make_no_sense_are_explained_and_not_taken(desk: Desk) -> None:
    desk.add()
    session = desk.bridge.session
    desk.chip(2, "C")
    rest(0.2)
    assert "Y and X" in desk.panel.chips.words
    assert desk.bridge.session is session
    assert desk.bridge.axes.letters == "TYX"


def test_work_is_not_left_without_asking(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.add()
    desk.bridge.session.prompt(0, 1, mask=SCENE.labels[0] == 1)
    session, asked = desk.bridge.session, []
    monkeypatch.setattr(desk.panel, "may_begin_anew", lambda: asked.append(1) is not None)
    desk.chip(0, "Z")
    assert asked
    assert desk.bridge.session is session
    assert desk.panel.chips._chips[0].currentText() == "T"


def test_the_other_axis_is_held_where_the_slider_is(desk: Desk) -> None:
    stack = np.stack([SCENE.images // 3, SCENE.images, SCENE.images // 2], axis=1)
    desk.add(stack, axis_labels=["t", "z", "y", "x"])
    desk.viewer.dims.set_current_step(1, 2)
    desk.panel.chips._here.click()
    wait(lambda: desk.bridge.axes is not None and desk.bridge.axes.at == {"Z": 2})
    desk.ready()
    assert dict(desk.bridge.session.at) == {"Z": 2}
    assert desk.panel.chips.words == "6 frames through time, at slice 2."
    along = desk.panel.chips._along
    along.setCurrentText("Z")
    along.activated.emit(along.currentIndex())
    wait(lambda: desk.bridge.axes is not None and desk.bridge.axes.along == "Z")
    desk.ready()
    assert len(desk.bridge.session) == 3


def test_where_there_is_no_choice_the_tooltip_says_why(desk: Desk) -> None:
    desk.add()
    chips = desk.panel.chips
    assert not chips._along.isEnabled()
    assert "both time and depth" in chips._here.toolTip()


def test_the_picture_follows_the_slider(desk: Desk) -> None:
    desk.add()
    tips = []
    for frame in (1, 4):
        desk.viewer.dims.set_current_step(0, frame)
        wait(lambda frame=frame: f"frame {frame}." in desk.panel._thumbnail.toolTip(), 10)
        tips.append(desk.panel._thumbnail.pixmap().toImage())
    assert tips[0] != tips[1]
    assert max(tips[0].width(), tips[0].height()) <= 160


def test_a_fixed_contrast_is_used(desk: Desk) -> None:
    from napari_sam2.plugin.contrast import Contrast

    desk.add()
    desk.panel._fold.click()
    form = desk.panel.form
    assert not form._rows[0]._low.isEnabled()
    form.choose(Contrast.FIXED)
    assert form._rows[0]._low.isEnabled()
    form._rows[0]._low.setText("150")
    form._rows[0]._high.setText("2000.5")
    form._apply.click()
    wanted = IntensityMap.window(150, 2000.5)
    wait(lambda: desk.bridge.session is not None and desk.bridge.session.intensity == wanted)
    wait(lambda: "150 to 2000" in desk.panel.words)


def test_a_range_that_is_none_is_explained(desk: Desk) -> None:
    from napari_sam2.plugin.contrast import Contrast

    desk.add()
    session = desk.bridge.session
    desk.panel.form.choose(Contrast.FIXED)
    desk.panel.form._rows[0]._low.setText("bright")
    desk.panel.form._apply.click()
    wait(lambda: "finite" in desk.panel.words)
    assert desk.bridge.session is session


def test_as_the_layer_shows_it(desk: Desk) -> None:
    from napari_sam2.plugin.contrast import Contrast

    desk.add(colormap="green", contrast_limits=(200, 900))
    desk.panel.form.choose(Contrast.LAYER)
    desk.panel.form._apply.click()
    wanted = IntensityMap((Channel(0, 200.0, 900.0, (0.0, 1.0, 0.0)),))
    wait(lambda: desk.bridge.session is not None and desk.bridge.session.intensity == wanted)


def test_ranges_of_one_image_are_not_used_for_another(desk: Desk) -> None:
    from napari_sam2.plugin.contrast import Contrast

    desk.add(name="one")
    desk.panel.form.choose(Contrast.LAYER)
    desk.panel.form._apply.click()
    wait(lambda: desk.bridge.choices.intensity is not None)
    desk.ready()
    other = desk.viewer.add_image(SCENE.images[:3] * 7, name="two")
    desk.panel.pick(other)
    desk.ready()
    assert desk.bridge.image is other
    assert desk.bridge.choices.intensity is None
    assert desk.panel.form.contrast is Contrast.STACK


def test_channels_are_left_out(desk: Desk) -> None:
    both = np.stack([SCENE.images, SCENE.images[::-1] * 2], axis=1)
    desk.add(both, axis_labels=["t", "c", "y", "x"])
    rows = desk.panel.form._rows
    assert [row._used.text() for row in rows] == ["C0", "C1"]
    rows[0]._used.click()
    desk.panel.form._apply.click()
    wait(lambda: desk.bridge.choices.intensity is not None)
    desk.ready()
    assert [channel.index for channel in desk.bridge.session.intensity.channels] == [1]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # napari's own, on NaN
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (7.0, "nothing to segment")])
def test_pixels_without_meaning_are_explained(desk: Desk, value: float, word: str) -> None:
    desk.viewer.add_image(np.full((3, 40, 40), value, np.float32), contrast_limits=(0, 1))
    wait(lambda: word in desk.panel.words, 20)


def test_an_image_that_came_with_a_session_goes_on_with_it(desk: Desk, tmp_path: Any) -> None:
    from napari_sam2.plugin.reopening import SESSION

    file = tmp_path / "nuclei.sam2.json"
    known = {"metadata": {SESSION: str(file)}}
    labels = desk.viewer.add_labels(SCENE.labels, **known)
    desk.viewer.add_image(SCENE.images, **known)
    desk.ready()
    assert desk.bridge.opened == [file]
    assert not labels.visible
    desk.bridge.choose_image(desk.bridge.image, desk.bridge.axes)
    assert desk.bridge.opened == [file], "only the first time"


def test_a_panel_that_is_gone_hears_nothing(desk: Desk) -> None:
    from qtpy.QtCore import QCoreApplication, QEvent
    from qtpy.QtWidgets import QWidget

    layer = desk.add(name="one")
    combo = desk.panel.layers
    assert desk.names == ["one"]
    gone: list[int] = []
    combo.destroyed.connect(lambda: gone.append(1))
    desk.panel.close()
    desk.panel.deleteLater()
    QCoreApplication.sendPostedEvents(desk.panel, QEvent.Type.DeferredDelete.value)
    assert gone
    layer.name = "uno"
    desk.viewer.add_image(SCENE.images)
    desk.viewer.layers.clear()
    desk.bridge.set(message="still here")
    desk.panel = QWidget()
