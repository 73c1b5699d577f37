"""Pictures as numpy has them, for widgets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap


def pixmap_of(picture: npt.NDArray[Any], side: int) -> QPixmap:
    """Return a picture scaled so that its longer side is `side` pixels.

    Parameters
    ----------
    picture
        uint8 (H, W, 3).
    side
        In pixels of the screen.
    """
    height, width, _ = picture.shape
    # Qt reads from memory that it does not own; the bytes live until it has made a copy.
    pixels = np.ascontiguousarray(picture).tobytes()
    image = QImage(pixels, width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image).scaled(
        side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
