"""The Cell Tracking Challenge's scores SEG and TRA, through py-ctcmetrics.

SEG: Maška et al., Bioinformatics 30 (2014). TRA: Matula et al., PLoS ONE 10 (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_sam2.errors import PromptError
from napari_sam2.evaluation.extras import need
from napari_sam2.evaluation.metrics import Labels


@dataclass(frozen=True, slots=True)
class TrackingScore:
    """SEG and TRA, 0 to 1, of one sequence."""

    sequence: str
    seg: float
    tra: float


def tracking_score(sequence: str, truth: Labels, found: Labels, frames: Sequence[int]) -> TrackingScore:
    """Measure a labelled sequence.

    Every number is a track of its own: who descends from whom is not known here, so that TRA counts no links
    from mothers to daughters, on either side.

    Parameters
    ----------
    sequence
        Its name.
    truth, found
        Integers (T, H, W), the same number for the same object.
    frames
        Which ones to compare; tracks are linked from one of them to the next.

    Raises
    ------
    Sam2Error
        If py-ctcmetrics is not installed.
    PromptError
        If the truth is empty.
    """
    if not truth[list(frames)].any():
        raise PromptError(f"{sequence} holds no object on the frames to compare.")
    representations: Any = need("ctc_metrics.utils.representations", "Tracking scores")
    metrics: Any = need("ctc_metrics.metrics", "Tracking scores")
    matches = []
    with TemporaryDirectory() as folder:
        # The library compares files.
        ours, theirs = Path(folder, "found.tif"), Path(folder, "truth.tif")
        for frame in frames:
            tifffile.imwrite(ours, _with_ground(found[frame]))
            tifffile.imwrite(theirs, _with_ground(truth[frame]))
            matches.append(representations.match(str(theirs), str(ours)))
    true, had, mapped_true, mapped_had, ious = (list(column) for column in zip(*matches, strict=True))
    counts = representations.count_acyclic_graph_correction_operations(
        _tracks(true), _tracks(had), true, had, mapped_true, mapped_had
    )
    tra, *_ = metrics.tra(**counts)
    return TrackingScore(sequence, float(metrics.seg(true, ious)), float(tra))


def _with_ground(labels: Labels) -> npt.NDArray[np.int32]:
    """Return labels with a rim of background: the library drops the smallest number as such."""
    return np.pad(labels, 1).astype(np.int32)


def _tracks(labels: list[list[int]]) -> npt.NDArray[np.int64]:
    """Return number, first frame, last frame and mother (0: none) of every track."""
    seen: dict[int, list[int]] = {}
    for frame, numbers in enumerate(labels):
        for number in numbers:
            seen.setdefault(int(number), []).append(frame)
    return np.array([(n, at[0], at[-1], 0) for n, at in sorted(seen.items())], np.int64).reshape(-1, 4)
