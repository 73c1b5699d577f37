"""A sequence's pixels, and what its file says about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from napari_sam2.batch.plan import Reading
from napari_sam2.io.frame_choice import choose_frames
from napari_sam2.io.frames import Frames, frames_of
from napari_sam2.io.images import open_image


@dataclass(frozen=True, slots=True)
class Opened:
    """An open sequence.

    Attributes
    ----------
    frame_axis
        T or Z.
    spacing
        Of frames, rows and columns; None where the file does not say it of rows and columns.
    unit, frame_unit
        Of the distance of pixels, and of frames.
    """

    frames: Frames
    frame_axis: str
    spacing: tuple[float, float, float] | None
    unit: str | None
    frame_unit: str | None


@contextmanager
def opened(path: Path, reading: Reading) -> Iterator[Opened]:
    """Open a file, and close it after the block.

    Raises
    ------
    StorageError, ImageError
        As `open_frames`.
    """
    with open_image(path, reading.axes, reading.level) as image:
        at = dict(reading.at)
        choice = choose_frames(
            image.layout,
            image.axes,
            image.shape,
            image.channels,
            along=reading.along,
            at=at,
            channel=reading.channel,
        )
        along = choice.along or "T"
        rows, columns, steps = (image.spacing.get(letter) for letter in ("Y", "X", along))
        spacing = None
        if rows is not None and columns is not None:
            spacing = (1.0 if steps is None else steps.step, rows.step, columns.step)
        with frames_of(image, along=reading.along, at=at, channel=reading.channel) as frames:
            yield Opened(
                frames,
                along,
                spacing,
                None if rows is None else rows.unit,
                None if steps is None else steps.unit,
            )
