"""How the review strip is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from napari_sam2.plugin.confidence_curve import Curve
from napari_sam2.plugin.strip_scale import Scale, lines, ticks
from napari_sam2.plugin.theme import Theme
from napari_sam2.prompts import FrameIndex, ObjectId
from napari_sam2.session.lineage import Lineage

LEFT, RIGHT, TOP, BOTTOM = 20, 6, 8, 18
_FAINT = 0.5


@dataclass(frozen=True, slots=True)
class Picture:
    """What the strip shows, but for the frame on screen.

    Attributes
    ----------
    curves, lineage
        Of all objects that are not hidden.
    current
        The object that is drawn boldly.
    frames
        Length of the sequence.
    """

    curves: Mapping[ObjectId, Curve]
    lineage: Lineage
    current: ObjectId
    frames: int

    def scale(self, width: int, height: int) -> Scale:
        """Return where things lie in a widget of so many pixels."""
        room = max(width - LEFT - RIGHT, 1), max(height - TOP - BOTTOM, 1)
        return Scale(self.frames, LEFT, TOP, *room)


def paint_curves(
    painter: QPainter, picture: Picture, scale: Scale, theme: Theme, color: Callable[[ObjectId], QColor]
) -> None:
    """Draw all that stays while the frame on screen changes.

    Parameters
    ----------
    painter, picture, scale
        Where, what, how large.
    theme, color
        Colours of the widget, and those of objects, legible on it.
    """
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _paint_axes(painter, scale, theme)
    others = [number for number in picture.curves if number != picture.current]
    for number in others:
        _paint_lines(painter, picture.curves[number], scale, color(number), _FAINT, 1.0)
    for number, division in picture.lineage.items():
        bold = picture.current in (number, division.mother)
        _paint_division(painter, scale, division.frame, color(number), bold)
    for number in others:
        _paint_marks(painter, picture.curves[number], scale, color(number), theme, bold=False)
    bold_curve = picture.curves.get(picture.current)
    if bold_curve is not None:
        own = color(picture.current)
        _paint_lines(painter, bold_curve, scale, own, 1.0, 2.0)
        _paint_marks(painter, bold_curve, scale, own, theme, bold=True)


def paint_cursor(
    painter: QPainter, scale: Scale, theme: Theme, frame: FrameIndex, pointed: FrameIndex | None
) -> None:
    """Draw the frame on screen as a line with its number, and a fainter one under the pointer."""
    top, bottom = int(scale.top) - 4, int(scale.top + scale.height)
    if pointed is not None and pointed != frame:
        painter.setPen(QPen(theme.color(0.4), 1))
        painter.drawLine(int(scale.x(pointed)), top, int(scale.x(pointed)), bottom)
    x = int(scale.x(frame))
    painter.setPen(QPen(theme.color(), 1))
    painter.drawLine(x, top, x, bottom)
    text = str(frame)
    wide = painter.fontMetrics().horizontalAdvance(text) + 6
    left = min(max(x - wide / 2, 0.0), scale.left + scale.width + RIGHT - wide)
    label = QRectF(left, bottom + 2, wide, BOTTOM - 3)
    painter.fillRect(label, theme.color())
    painter.setPen(theme.color(0.0))
    painter.drawText(label, Qt.AlignmentFlag.AlignCenter, text)


def _paint_axes(painter: QPainter, scale: Scale, theme: Theme) -> None:
    right, bottom = int(scale.left + scale.width), int(scale.top + scale.height)
    for value, text in ((1.0, "1"), (0.5, "\u00bd"), (0.0, "0")):
        y = int(scale.y(value))
        painter.setPen(QPen(theme.color(0.15 if value else 0.4), 1))
        painter.drawLine(int(scale.left), y, right, y)
        painter.setPen(theme.color(0.65))
        room = QRectF(0, y - 8, scale.left - 5, 16)
        painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
    wide = painter.fontMetrics().horizontalAdvance(str(scale.frames)) + 12
    for frame in ticks(scale.frames, int(scale.width / max(wide, 1))):
        x = scale.x(frame)
        painter.drawLine(QPointF(x, bottom), QPointF(x, bottom + 3))
        left = min(max(x - wide / 2, 0.0), scale.left + scale.width + RIGHT - wide)
        room = QRectF(left, bottom + 2, wide, BOTTOM - 3)
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, str(frame))


def _paint_lines(
    painter: QPainter, curve: Curve, scale: Scale, color: QColor, opacity: float, width: float
) -> None:
    painter.setOpacity(opacity)
    painter.setPen(QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    for line in lines(curve, scale):
        if len(line) == 1:  # a frame by itself would be a dot, as a prompt is
            line = np.add(line, ((-2, 0), (2, 0)))
        painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in line.tolist()]))
    painter.setOpacity(1.0)


def _paint_marks(
    painter: QPainter, curve: Curve, scale: Scale, color: QColor, theme: Theme, bold: bool
) -> None:
    """Dots where the user said something, crosses where the mask jumps."""
    painter.setOpacity(1.0 if bold else _FAINT)
    reach = 3.2 if bold else 2.0
    for frame in curve.jumps:
        x, y = scale.x(frame), scale.y(curve.levels[frame])
        cross = QPainterPath()
        for rise in (-1, 1):
            cross.moveTo(x - reach, y - rise * reach)
            cross.lineTo(x + reach, y + rise * reach)
        painter.setPen(QPen(theme.color() if bold else color, 1.5))
        painter.drawPath(cross)
    painter.setPen(QPen(theme.color(), 1.0) if bold else Qt.PenStyle.NoPen)
    painter.setBrush(color)
    for frame in curve.prompted:
        painter.drawEllipse(QPointF(scale.x(frame), scale.y(1.0)), reach, reach)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setOpacity(1.0)


def _paint_division(painter: QPainter, scale: Scale, frame: FrameIndex, color: QColor, bold: bool) -> None:
    """A tick at the bottom that forks upwards."""
    painter.setOpacity(1.0 if bold else 0.6)
    painter.setPen(QPen(color, 1.6))
    x, bottom = scale.x(frame - 0.5), scale.top + scale.height
    painter.drawLine(QPointF(x, bottom), QPointF(x, bottom - 5))
    painter.drawLine(QPointF(x, bottom - 5), QPointF(x - 4, bottom - 10))
    painter.drawLine(QPointF(x, bottom - 5), QPointF(x + 4, bottom - 10))
    painter.setOpacity(1.0)
