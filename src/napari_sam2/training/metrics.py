"""The loss curve as a table: one row every so many steps, the same whether or not a run was interrupted."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from napari_sam2.errors import StorageError

COLUMNS = ("size", "frames", "step", "rate", "loss", "first_iou", "tracked_iou")


@dataclass(frozen=True, slots=True)
class StepScore:
    """What one step showed: its loss, IoU of the first prompt, IoU of frames without one; None if untried."""

    loss: float
    first_iou: float | None
    tracked_iou: float | None


class MetricsTable:
    """A CSV with a header that grows by the mean of every so many steps.

    Parameters
    ----------
    path
        The file; rows beyond `step`, left by a run that was killed, are dropped.
    size, frames
        Of the stage, repeated in every row.
    step
        The step to go on from.
    pending
        Scores of steps since the last row.
    every
        Steps a row.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        frames: int,
        step: int = 0,
        pending: list[StepScore] | None = None,
        every: int = 20,
    ) -> None:
        self._head = (str(size), str(frames))
        self.every = every
        self.pending = pending or []
        kept = [row for row in read_metrics(path) if 0 < int(row["step"]) <= step] if step else []
        try:
            self._file = path.open("w", newline="", encoding="utf-8")
            self._rows = csv.writer(self._file, lineterminator="\n")
            self._rows.writerow(COLUMNS)
            self._rows.writerows([row[name] for name in COLUMNS] for row in kept)
            self._file.flush()
        except OSError as error:
            raise StorageError(f"{path} cannot be written ({error}): free some space.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, step: int, rate: float, score: StepScore) -> None:
        """Count a step, and write a row where one is due."""
        self.pending.append(score)
        if len(self.pending) >= self.every:
            self.row(step, rate)

    def row(self, step: int, rate: float) -> None:
        """Write the mean of the steps since the last row, if there are any."""
        if not self.pending:
            return
        means = (
            _mean([score.loss for score in self.pending]),
            _mean([score.first_iou for score in self.pending]),
            _mean([score.tracked_iou for score in self.pending]),
        )
        try:
            self._rows.writerow([*self._head, step, f"{rate:.4e}", *means])
            self._file.flush()
        except OSError as error:
            raise StorageError(
                f"{self._file.name} cannot be written ({error}): free some space and start the same command "
                "again; it goes on from the last checkpoint."
            ) from error
        self.pending.clear()

    def sync(self) -> None:
        """Bring the rows to the disk, before a checkpoint that counts on them."""
        self._file.flush()
        os.fsync(self._file.fileno())


def read_metrics(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table by column; a last row that was cut short is left out.

    Raises
    ------
    StorageError
        The file is there, but is no such table.
    """
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if rows and tuple(rows[0]) != COLUMNS:
        raise StorageError(f"{path} is no table of metrics of this program: move it away.")
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows[1:] if len(row) == len(COLUMNS)]


def _mean(values: list[float] | list[float | None]) -> str:
    there = [value for value in values if value is not None]
    return f"{sum(there) / len(there):.6f}" if there else ""
