"""Confidence along the sequence, a line for each object; a click goes there."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPixmap
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.confidence_curve import described
from napari_sam2.plugin.curves import Curves
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.status import Status
from napari_sam2.plugin.strip_paint import Picture, paint_cursor, paint_curves
from napari_sam2.plugin.strip_scale import Spot, nearest
from napari_sam2.plugin.theme import Theme
from napari_sam2.prompts import FrameIndex, ObjectId


class ReviewStrip(QWidget):
    """A timeline to look for doubtful masks.

    The current object's line is bold, dots are prompts, crosses are jumps, forks are divisions, and the
    upright line is the frame on screen.

    Parameters
    ----------
    bridge
        Asked to show frames.
    tall
        Its usual height in pixels.
    """

    def __init__(self, bridge: Bridge, tall: int = 96) -> None:
        super().__init__()
        self._bridge = bridge
        self._curves = Curves.of(bridge)
        self._tall = tall
        self._kept: QPixmap | None = None
        self._picture = Picture({}, {}, 1, 0)
        self._pointed: FrameIndex | None = None
        self._shown: Status | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        self.setMinimumHeight(72)
        listen(self, bridge.events.status_changed, self._look)
        listen(self, bridge.events.objects_changed, self._renew)
        listen(self, bridge.events.image_changed, self._renew)
        listen(self, self._curves.changed, self._renew)
        self._renew()

    def sizeHint(self) -> QSize:
        """Return the usual size."""
        return QSize(300, self._tall)

    def tip(self, spot: Spot) -> str:
        """Return what is known of the object and frame at a place, in pixels of the widget."""
        status, picture = self._bridge.status, self._picture
        if self._empty_text():
            return ""
        scale = picture.scale(self.width(), self.height())
        frame = scale.frame(spot.x)
        number = nearest(picture.curves, spot, scale, picture.current)
        where = f"{status.word} {frame}"
        if number is None:
            return f"{where.capitalize()}: no mask"
        return (
            f"{self._name(number)}, {where}: {described(picture.curves[number].values[frame], status.word)}"
        )

    # What is shown

    def _look(self, status: Status) -> None:
        shown, self._shown = self._shown, status
        if shown is None or (shown.object_id, shown.frames, shown.along) != (
            status.object_id,
            status.frames,
            status.along,
        ):
            self._renew()
        elif shown.frame != status.frame:
            self.update()

    def _renew(self, *_: Any) -> None:
        session, status = self._bridge.session, self._bridge.status
        objects = {} if session is None else session.objects
        lineage = {} if session is None else session.lineage
        curves = {
            number: curve
            for number, curve in self._curves.all.items()
            if number in objects and (not objects[number].hidden or number == status.object_id)
        }
        self._picture = Picture(curves, lineage, status.object_id, status.frames)
        self._kept = None
        self.update()

    def _name(self, number: ObjectId) -> str:
        session = self._bridge.session
        row = None if session is None else session.objects.get(number)
        return f"Object {number}" if row is None else row.name

    def _empty_text(self) -> str:
        status = self._bridge.status
        if self._bridge.session is None:
            return "Open an image, and its review appears here."
        if status.frames < 2:
            return "A single image: there is no sequence to review."
        if not self._picture.curves:
            return f"Click an object and follow it: its confidence on every {status.word} appears here."
        return ""

    def paintEvent(self, event: Any) -> None:
        """Draw; all but the frame on screen is kept from one time to the next."""
        theme = Theme.of(self)
        painter = QPainter(self)
        text = self._empty_text()
        if text:
            painter.setPen(theme.color(0.65))
            room = self.rect().adjusted(8, 0, -8, 0)
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)
            painter.end()
            return
        scale = self._picture.scale(self.width(), self.height())
        ratio = self.devicePixelRatioF()
        if self._kept is None or self._kept.size() != self.size() * ratio:
            self._kept = QPixmap(self.size() * ratio)
            self._kept.setDevicePixelRatio(ratio)
            self._kept.fill(QColor(0, 0, 0, 0))
            inner = QPainter(self._kept)
            inner.setFont(self.font())
            paint_curves(
                inner, self._picture, scale, theme, lambda number: theme.object_color(self._bridge, number)
            )
            inner.end()
        painter.drawPixmap(0, 0, self._kept)
        paint_cursor(painter, scale, theme, self._bridge.status.frame, self._pointed)
        painter.end()

    def changeEvent(self, event: Any) -> None:
        """Draw anew when the theme changes."""
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._kept = None
            self.update()
        super().changeEvent(event)

    # What the user does

    def _frame_at(self, event: Any) -> FrameIndex:
        return self._picture.scale(self.width(), self.height()).frame(event.position().x())

    def mousePressEvent(self, event: Any) -> None:
        """Go to the frame."""
        if event.button() == Qt.MouseButton.LeftButton and not self._empty_text():
            self._bridge.show_frame(self._frame_at(event))

    def mouseMoveEvent(self, event: Any) -> None:
        """Go along while the button is down; else tell what is there."""
        if self._empty_text():
            return
        frame = self._frame_at(event)
        if event.buttons() & Qt.MouseButton.LeftButton and frame != self._bridge.status.frame:
            self._bridge.show_frame(frame)
        if frame != self._pointed:
            self._pointed = frame
            self.update()
        where = event.position()
        QToolTip.showText(event.globalPosition().toPoint(), self.tip(Spot(where.x(), where.y())), self)

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Choose the object whose line is there."""
        if not self._empty_text():
            where, scale = event.position(), self._picture.scale(self.width(), self.height())
            number = nearest(self._picture.curves, Spot(where.x(), where.y()), scale, self._picture.current)
            if number is not None:
                self._bridge.choose_object(number)

    def leaveEvent(self, event: Any) -> None:
        """Forget the pointer."""
        self._pointed = None
        self.update()

    def keyPressEvent(self, event: Any) -> None:
        """Left and right go to the frames beside, Home and End to the first and last one."""
        status = self._bridge.status
        last = status.frames - 1
        wanted = {
            Qt.Key.Key_Left: max(status.frame - 1, 0),
            Qt.Key.Key_Right: min(status.frame + 1, last),
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }.get(event.key())
        if wanted is None or self._empty_text():
            super().keyPressEvent(event)
        else:
            self._bridge.show_frame(wanted)
