"""The loss curve as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_sam2.errors import StorageError
from napari_sam2.training.metrics import read_metrics


def draw_curve(tables: Sequence[Path], picture: Path) -> bool:
    """Draw loss and IoU over the steps of all stages, one behind the other.

    Parameters
    ----------
    tables
        The `metrics.csv` of every stage, in order.
    picture
        The PNG to write.

    Returns
    -------
    bool
        Whether it was drawn; not without matplotlib (the extra ``evaluate``) or without rows.

    Raises
    ------
    StorageError
        The picture cannot be written.
    """
    stages = [rows for rows in map(read_metrics, tables) if rows]
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    if not stages:
        return False
    figure = Figure(figsize=(8, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    start = 0
    colours = {"first_iou": "tab:blue", "tracked_iou": "tab:orange"}
    words = {"first_iou": "first prompt", "tracked_iou": "followed without a prompt"}
    for rows in stages:
        steps = [start + int(row["step"]) for row in rows]
        above.plot(steps, [float(row["loss"]) for row in rows], color="black", linewidth=1)
        for name, colour in colours.items():
            points = [(step, float(row[name])) for step, row in zip(steps, rows, strict=True) if row[name]]
            label = words.pop(name, None) if points else None
            below.plot(*zip(*points, strict=True), color=colour, linewidth=1, label=label) if points else None
        start = steps[-1]
        for axes in (above, below):
            axes.axvline(start, color="0.8", linewidth=0.8, zorder=0)
    above.set(ylabel="loss", yscale="log")
    below.set(ylabel="IoU", ylim=(0, 1), xlabel="step")
    below.legend(frameon=False)
    try:
        figure.savefig(picture, dpi=110)
    except OSError as error:
        raise StorageError(f"{picture} cannot be written ({error}).") from error
    return True
