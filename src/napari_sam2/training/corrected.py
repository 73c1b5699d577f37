"""Frames that a user corrected, as arrays: some to learn from, some held back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_sam2.errors import ImageError
from napari_sam2.training.recordings import Kind, Recording
from napari_sam2.training.sources import LabelledFrame, SplitData


def held_back(count: int, share: float = 0.25) -> tuple[int, ...]:
    """Return which of so many frames are held back: evenly spread, at least one, but not all.

    Parameters
    ----------
    count
        Of frames.
    share
        How many of them to hold back, 0 to 1.

    Raises
    ------
    ImageError
        There are fewer than two frames.
    """
    if count < 2:
        raise ImageError(
            f"There are {count} corrected frames with labels, but at least 2 are needed: one to learn "
            "from and one to see whether it helped. Prompt objects on more frames."
        )
    number = min(max(round(share * count), 1), count - 1)
    # The middle of each of so many equal parts: neither the first frame nor the last.
    return tuple(int((k + 0.5) * count / number) for k in range(number))


def split_corrected(frames: Sequence[LabelledFrame], share: float = 0.25) -> SplitData:
    """Return corrected frames as what `fine_tune` learns from.

    Parameters
    ----------
    frames
        Of one sequence, in order; images uint8, (H, W) or (H, W, 3), all alike. An object keeps its number,
        and not every object needs a label.
    share
        How many of them to hold back.

    Raises
    ------
    ImageError
        There are fewer than two frames, or they are not alike.
    """
    back = held_back(len(frames), share)
    if len({(frame.image.shape, frame.labels.shape) for frame in frames}) > 1:
        raise ImageError("Corrected frames are of one size: take those of one image.")
    learned = [frame for index, frame in enumerate(frames) if index not in back]
    images = np.stack([frame.image for frame in learned])
    labels = _compact(np.stack([frame.labels for frame in learned]))
    stills = tuple(
        Recording.build(Kind.STILL, images[k : k + 1], labels[k : k + 1]) for k in range(len(learned))
    )
    # What has no label is not known to be ground; tracked recordings say so.
    clips = (Recording.build(Kind.TRACKED, images, labels),) if len(learned) > 1 else ()
    return SplitData(stills, clips, tuple(frames[index] for index in back), len(learned))


def _compact(
    labels: np.ndarray[tuple[int, ...], np.dtype[np.integer]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.integer]]:
    """Number objects from 1 up, so that their numbers fit into 16 bits."""
    found, numbers = np.unique(labels, return_inverse=True)
    return (numbers + (found[0] != 0)).reshape(labels.shape)
