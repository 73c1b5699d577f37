"""Which image is segmented, what its axes are, and what the model sees of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QMessageBox, QToolButton, QVBoxLayout, QWidget

from napari_sam2.errors import Sam2Error
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.plugin.axes_chips import AxesChips
from napari_sam2.plugin.axis_choice import held_letter
from napari_sam2.plugin.contrast import Contrast, Shown, Wish, intensity_for, rows_of, summary, tint
from napari_sam2.plugin.contrast_form import ContrastForm
from napari_sam2.plugin.layer_axes import LayerAxes
from napari_sam2.plugin.layer_combo import LayerCombo
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.newest_call import NewestCall
from napari_sam2.plugin.pixmap import pixmap_of
from napari_sam2.plugin.reopening import Reopening
from napari_sam2.plugin.seen import Seen, look
from napari_sam2.plugin.status import Model, Status

if TYPE_CHECKING:
    from napari_sam2.plugin.bridge import Bridge

SIDE = 84
# At the most so many seconds between two pictures while the slider moves.
REST = 0.1


class ImagePanel(QWidget):
    """Layer, axes, what the model sees, and folded behind it contrast and channels.

    Parameters
    ----------
    bridge
        Told what was chosen.
    """

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._seen_of: tuple[int, int] | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.layers = LayerCombo(bridge.viewer)
        self.layers.picked.connect(self.pick)
        self.chips = AxesChips()
        self.chips.changed.connect(self._axes_wanted)
        self.chips.position_asked.connect(self._hold_here)
        column.addWidget(self.layers)
        column.addWidget(self.chips)
        column.addLayout(self._picture())
        self._fold = QToolButton()
        self._fold.setText("Contrast and channels")
        self._fold.setToolTip("Choose which pixel values and channels the model sees.")
        self._fold.setCheckable(True)
        self._fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._fold.setArrowType(Qt.ArrowType.RightArrow)
        self._fold.toggled.connect(self._unfold)
        self.form = ContrastForm()
        self.form.setVisible(False)
        self.form.applied.connect(self._apply)
        column.addWidget(self._fold)
        column.addWidget(self.form)
        self._looking = NewestCall(self._show_seen, self._explain, REST, self)
        self._mapping = NewestCall(self._use, self._explain, parent=self)
        self._reopening = Reopening(bridge)
        inserted = bridge.viewer.layers.events.inserted
        inserted.connect(self._inserted)
        # napari, unlike Qt, goes on calling what was destroyed.
        self.destroyed.connect(lambda: inserted.disconnect(self._inserted))
        listen(self, bridge.events.image_changed, self._image_changed)
        listen(self, bridge.events.status_changed, self._status_changed)
        self._image_changed()

    def _picture(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self._thumbnail = QLabel()
        self._thumbnail.setFixedSize(SIDE, SIDE)
        self._thumbnail.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._thumbnail.setFrameShape(QLabel.Shape.StyledPanel)
        self._words = QLabel()
        self._words.setWordWrap(True)
        self._words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._words.setFixedHeight(SIDE)
        row.addWidget(self._thumbnail)
        row.addWidget(self._words, 1)
        return row

    @property
    def words(self) -> str:
        """What is said beside the picture."""
        return str(self._words.text())

    # What the user says

    def pick(self, layer: Image) -> None:
        """Segment another image."""
        if layer is not self._bridge.image and self._bridge.choices.intensity is not None:
            # Ranges that were set for one image say nothing about another.
            self._bridge.choices = replace(self._bridge.choices, intensity=None)
            self.form.choose(Contrast.STACK)
        self._bridge.choose_image(layer)

    def _inserted(self, event: Any) -> None:
        if self._bridge.image is None and isinstance(event.value, Image):
            self.pick(event.value)

    def _axes_wanted(self, axes: LayerAxes) -> None:
        image, session = self._bridge.image, self._bridge.session
        if image is None:
            return
        if session is not None and session.steps and not self.may_begin_anew():
            self.chips.show_axes(self._bridge.axes)
            return
        self._bridge.choose_image(image, axes)

    def may_begin_anew(self) -> bool:
        """Ask whether a session with work in it may be left for one with other axes."""
        answer = QMessageBox.question(
            self,
            "Other axes",
            "With other axes a new session of this image begins. The present one is kept on disk, and can be "
            "restored once the axes are as before. Begin the new one?",
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _hold_here(self) -> None:
        axes = self._bridge.axes
        if axes is not None and self._bridge.image is not None:
            index = axes.letters.index(held_letter(axes))
            self.chips.hold(
                int(np.clip(round(float(self._bridge.position[index])), 0, axes.shape[index] - 1))
            )

    def _apply(self, wish: Wish) -> None:
        session, image, axes = self._bridge.session, self._bridge.image, self._bridge.axes
        if session is None or image is None or axes is None:
            return
        shown = _shown(image, axes, self._bridge.position)
        frames = session.frames
        self._say("Finding the ranges ...")
        self._mapping.ask(lambda: (image, intensity_for(wish, shown, frames)))

    def _use(self, found: tuple[Image, IntensityMap | None]) -> None:
        image, intensity = found
        if image is self._bridge.image:
            self._bridge.choose(intensity=intensity)

    # What the session says

    def _image_changed(self) -> None:
        self.layers.show_layer(self._bridge.image)
        self.chips.show_axes(self._bridge.axes)
        self._seen_of = None
        self._looking.forget()
        if self._bridge.session is None:
            self._mapping.forget()
            self._thumbnail.setPixmap(QPixmap())
            self._thumbnail.setToolTip("What the model sees appears here once an image is chosen.")
            self.form.show_channels((), False)
            self._say("" if self._bridge.image is None else "Reading ...")
        self._status_changed(self._bridge.status)

    def _status_changed(self, status: Status) -> None:
        session = self._bridge.session
        if session is None:
            if self._bridge.image is not self.layers.shown:
                self.layers.show_layer(self._bridge.image)
                self.chips.show_axes(self._bridge.axes)
            if status.model is Model.FAILED:
                self._say(status.message)
            elif status.model is Model.LOADING:
                self._say("Reading ...")
            return
        wanted = (id(session), status.frame)
        if wanted != self._seen_of:
            self._seen_of = wanted
            frame = status.frame
            self._looking.ask(lambda: look(session.frames, session.intensity, frame, SIDE))

    def _show_seen(self, seen: Seen) -> None:
        session, axes, image = self._bridge.session, self._bridge.axes, self._bridge.image
        if session is None or axes is None or image is None:
            return
        self._thumbnail.setPixmap(pixmap_of(seen.picture, SIDE))
        word = self._bridge.status.word
        self._thumbnail.setToolTip(f"What the model sees of {word} {seen.frame}.")
        self._say(f"What the model sees.\n\nPixel values {summary(seen.intensity)}.")
        if not self.form.touched:
            low, high = (float(one) for one in image.contrast_limits)
            count = session.frames.shape[3] if len(session.frames.shape) == 4 else 1
            count = min(count, 3) if axes.rgb else count
            self.form.show_channels(rows_of(seen.intensity, count, axes.rgb, low, high), axes.rgb)

    def _explain(self, error: Exception) -> None:
        self._thumbnail.setPixmap(QPixmap())
        self._say(str(error) if isinstance(error, Sam2Error) else f"The frame cannot be shown: {error}")

    def _say(self, text: str) -> None:
        self._words.setText(text)
        self._words.setToolTip(text)

    def _unfold(self, open_: bool) -> None:
        self._fold.setArrowType(Qt.ArrowType.DownArrow if open_ else Qt.ArrowType.RightArrow)
        self.form.setVisible(open_)


def _shown(image: Image, axes: LayerAxes, position: Any) -> Shown:
    """Return how a layer is shown."""
    low, high = (float(one) for one in image.contrast_limits)
    place = axes.letters.find("C")
    channel = 0 if axes.rgb or place < 0 else round(float(position[place]))
    return Shown(low, high, tint(image.colormap.colors), max(0, min(channel, axes.shape[place] - 1)))
