"""COCO's compressed run-length code of a mask, as SA-V stores it, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import StorageError


def decode_mask(code: Mapping[str, Any]) -> npt.NDArray[np.bool_]:
    """Return the mask of a run-length code.

    Parameters
    ----------
    code
        ``size`` [H, W], and ``counts``: lengths of runs of 0 and 1 in turn, down the columns; either a list
        or COCO's text, which holds six bits a character, and from the third run on the difference to the
        last but one.

    Returns
    -------
    numpy.ndarray
        bool (H, W).

    Raises
    ------
    StorageError
        The code is not one, or its runs do not fill the mask.
    """
    try:
        height, width = (int(side) for side in code["size"])
        counts = code["counts"]
        runs = _unpack(counts) if isinstance(counts, str | bytes) else [int(run) for run in counts]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise StorageError(
            f"A mask's run-length code cannot be read ({error!r}): export it again."
        ) from error
    if sum(runs) != height * width or min(runs, default=0) < 0:
        raise StorageError(
            f"A mask's run-length code holds {sum(runs)} pixels, but its size is {height} x {width}: "
            "it is damaged. Export it again."
        )
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def encode_mask(mask: npt.NDArray[Any]) -> dict[str, Any]:
    """Return the code of a mask, bool (H, W), with ``counts`` as COCO's text; `decode_mask` undoes it."""
    flat = np.asarray(mask, dtype=bool).T.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    start = [0] if flat.size and flat[0] else []
    runs = np.diff(np.concatenate((start, edges, [flat.size])).astype(np.int64), prepend=0).tolist()
    return {"size": [int(side) for side in mask.shape], "counts": _pack(runs)}


def _pack(runs: list[int]) -> str:
    text = bytearray()
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        more = True
        while more:
            piece = value & 0x1F
            value >>= 5
            # The last character's highest bit is the sign of all.
            more = value != -1 if piece & 0x10 else value != 0
            text.append((piece | 0x20 if more else piece) + 48)
    return text.decode("ascii")


def _unpack(text: str | bytes) -> list[int]:
    data = text.encode("ascii") if isinstance(text, str) else text
    runs: list[int] = []
    at = 0
    while at < len(data):
        value = shift = 0
        more = True
        while more:
            piece = data[at] - 48
            at += 1
            value |= (piece & 0x1F) << shift
            shift += 5
            more = bool(piece & 0x20)
            if not more and piece & 0x10:
                value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs
