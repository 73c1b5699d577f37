"""A made scene and its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import ImageError
from napari_sam2.imaging.optics import Counts


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A scene and its truth.

    Parameters
    ----------
    images
        uint16 camera counts, or uint8; (T, H, W), (Z, H, W) or (T, Z, H, W), as `axes` says.
    labels
        uint16, same shape; 0 is background, and one number is one object through time and depth.
    parents
        Daughter's label to mother's label.
    axes
        One letter an axis: T time, Z depth, Y rows, X columns.
    z_spacing
        Distance of two planes in units of a pixel's side; 1 where there is no depth.
    """

    images: npt.NDArray[np.uint16] | npt.NDArray[np.uint8]
    labels: Counts
    parents: dict[int, int]
    axes: str = "TYX"
    z_spacing: float = 1.0


def check_room(frames: int, height: int, width: int, objects: int, radius: float, divisions: int = 0) -> None:
    """Raise ImageError where objects of this radius would fill more than half of the frame."""
    # Two daughters together are half as large again as their mother.
    area = (objects + divisions / 2) * np.pi * radius**2
    covered = area / (height * width) if min(height, width) >= 16 else 1.0
    if frames < 1 or objects < 0 or radius < 2 or covered > 0.5:
        raise ImageError(
            f"{objects} object(s) of radius {radius:.1f} do not fit {frames} frame(s) of {height} x "
            f"{width}: a scene needs a frame, 16 x 16 pixels, radius 2, and at least half of its area free."
        )


def check_size(frames: int, height: int, width: int, objects: int) -> None:
    """Raise ImageError where there is no frame, or one too small to show anything."""
    if frames < 1 or min(height, width) < 16 or objects < 0:
        raise ImageError(
            f"{objects} object(s) on {frames} frame(s) of {height} x {width} cannot be drawn: "
            "a scene needs at least 1 frame of 16 x 16 pixels and 0 or more objects."
        )


def check_divisions(frames: int, objects: int, divisions: int) -> None:
    """Raise ImageError where there are more divisions than nuclei, or no frame before one."""
    if not 0 <= divisions <= objects or (divisions and frames < 2):
        raise ImageError(
            f"{divisions} division(s) of {objects} nuclei in {frames} frame(s) cannot be: "
            "each nucleus divides at most once, and a division needs a frame before it."
        )
