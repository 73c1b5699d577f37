"""An evaluation on disk: table, single values, plots and pictures of the worst cases."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_sam2.errors import StorageError
from napari_sam2.evaluation.extras import need
from napari_sam2.evaluation.values import BASELINE, MODEL, Case, Curve, Evaluation, Measured, Row
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.imaging.overlay import contact_sheet, overlay
from napari_sam2.io.datasets import LabelledSequence

_MARGIN = 24
_PICTURE = 320
_COLORS = {MODEL: "#0072b2", BASELINE: "#d55e00"}


def markdown(rows: Sequence[Row]) -> str:
    """Return the table."""
    with_baseline = any(row.baseline is not None for row in rows)
    lines = ["| figure | objects | model | baseline |"] if with_baseline else ["| figure | objects | model |"]
    lines.append("|---|---|---|---|" if with_baseline else "|---|---|---|")
    for row in rows:
        line = f"| {row.figure} | {row.count} | {row.model:.3f} |"
        if with_baseline:
            line += f" {'' if row.baseline is None else f'{row.baseline:.3f}'} |"
        lines.append(line)
    return "\n".join(lines)


def write(
    folder: Path,
    evaluation: Evaluation,
    sequences: Sequence[LabelledSequence],
    plots: bool = True,
    worst: int = 8,
    title: str = "",
) -> None:
    """Write ``table.md``, ``scores.csv``, a PNG for each curve and ``worst/01.png``, ... worst first.

    A picture of a case has the truth on the left and what was found on the right.

    Parameters
    ----------
    folder
        From `make_folder`, with ``worst`` in it.
    sequences
        Those that were evaluated; the pictures are cut from them.

    Raises
    ------
    Sam2Error
        If plots are wanted and matplotlib is not installed.
    StorageError
        If the folder cannot be written or the disk is full.
    """
    try:
        heading = f"{title}\n\n" if title else ""
        (folder / "table.md").write_text(f"{heading}{markdown(evaluation.rows)}\n", encoding="utf-8")
        _write_csv(folder / "scores.csv", evaluation.measured)
        for curve in evaluation.curves if plots else ():
            _plot(folder / f"{curve.name}.png", curve)
        lines = []
        for number, case in enumerate(evaluation.worst(worst), 1):
            sequence = next(s for s in sequences if s.name == case.sequence)
            Image.fromarray(picture(case, sequence)).save(folder / "worst" / f"{number:02d}.png")
            lines.append(
                f"| {number:02d}.png | {case.sequence} | {case.frame} | {case.object_id} | {case.score:.3f} |"
            )
        if lines:
            table = ["| picture | sequence | frame | object | score |", "|---|---|---|---|---|", *lines]
            (folder / "worst" / "index.md").write_text("\n".join(table) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"The report cannot be written to {folder}: {error.strerror or error}. Make room, or choose "
            "another folder."
        ) from error


def picture(case: Case, sequence: LabelledSequence) -> Any:
    """Return the truth and what was found, side by side round the object, uint8 (h, w, 3)."""
    images, labels = sequence.read()
    image, truth, found = images[case.frame], labels[case.frame] == case.object_id, case.found.decode()
    rows, columns = (np.flatnonzero((truth | found).any(axis=axis)) for axis in (1, 0))
    cut = tuple(
        slice(max(0, int(line[0]) - _MARGIN), int(line[-1]) + 1 + _MARGIN) if len(line) else slice(None)
        for line in (rows, columns)
    )
    shown = IntensityMap.for_frames(image[None])(image)[cut]
    sides = [overlay(shown, mask[cut].astype(np.uint8)) for mask in (truth, found)]
    # Small objects are shown large, pixel by pixel.
    scale = max(1, _PICTURE // max(shown.shape[:2]))
    return contact_sheet([side.repeat(scale, axis=0).repeat(scale, axis=1) for side in sides], 2)


def _write_csv(path: Path, measured: Sequence[Measured]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [f.name for f in fields(Measured)])
        table.writeheader()
        table.writerows(asdict(one) for one in measured)


def _plot(path: Path, curve: Curve) -> None:
    figures: Any = need("matplotlib.figure", "Plots", "or go without with --no-plots")
    # No pyplot: that would look for a screen.
    figure = figures.Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.add_subplot()
    for name, line in curve.lines.items():
        axes.plot(line.x, line.y, marker="o", markersize=3, label=name, color=_COLORS.get(name))
    axes.set(title=curve.title, xlabel=curve.x, ylabel=curve.y, ylim=(0, 1))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    figure.savefig(path, dpi=120)
