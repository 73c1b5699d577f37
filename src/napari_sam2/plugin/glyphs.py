"""Small signs, drawn: an eye for what is shown, a lock for what is protected."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPainterPath, QPen

# Signs are drawn in a square of this many pixels.
SIDE = 14.0


def eye(painter: QPainter, corner: QPointF, color: QColor, closed: bool) -> None:
    """Draw an eye, or a closed one, struck through.

    Parameters
    ----------
    painter, corner
        Where: the upper left corner of a square of `SIDE` pixels.
    color, closed
        What it looks like.
    """
    painter.save()
    painter.translate(corner)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(color, 1.3))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    lids = QPainterPath(QPointF(1, 7))
    lids.quadTo(QPointF(7, 0.5), QPointF(13, 7))
    lids.quadTo(QPointF(7, 13.5), QPointF(1, 7))
    painter.drawPath(lids)
    if closed:
        painter.drawLine(QPointF(2, 12.5), QPointF(12, 1.5))
    else:
        painter.setBrush(color)
        painter.drawEllipse(QPointF(7, 7), 1.8, 1.8)
    painter.restore()


def lock(painter: QPainter, corner: QPointF, color: QColor, closed: bool) -> None:
    """Draw a lock, closed or open; parameters as for `eye`."""
    painter.save()
    painter.translate(corner)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(color, 1.3))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    bow = QPainterPath(QPointF(4.5, 6.5))
    bow.lineTo(4.5, 4.5)
    bow.arcTo(QRectF(4.5, 1.5, 5, 5.5), 180, -180 if closed else -130)
    if closed:
        bow.lineTo(9.5, 6.5)
    painter.drawPath(bow)
    body = QRectF(2.8, 6.5, 8.4, 6)
    if closed:
        painter.fillRect(body, color)
    else:
        painter.drawRect(body)
    painter.restore()
