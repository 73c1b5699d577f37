"""Which objects of one label image are which of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """Every object of one label image against every one of another.

    Attributes
    ----------
    rows, columns
        The numbers of the objects of the first and of the second, in order.
    shared
        (rows, columns): pixels in both.
    row_areas, column_areas
        Pixels of each.
    """

    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    shared: npt.NDArray[np.int64]
    row_areas: npt.NDArray[np.int64]
    column_areas: npt.NDArray[np.int64]

    @property
    def iou(self) -> npt.NDArray[np.float64]:
        """(rows, columns): pixels in both over pixels in either."""
        return self.shared / (self.row_areas[:, None] + self.column_areas - self.shared)

    @property
    def of_rows(self) -> npt.NDArray[np.float64]:
        """(rows, columns): share of each row's object that lies in each column's."""
        return self.shared / self.row_areas[:, None]

    @property
    def of_columns(self) -> npt.NDArray[np.float64]:
        """(rows, columns): share of each column's object that lies in each row's."""
        return self.shared / self.column_areas


def overlaps(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Overlaps:
    """Compare two label images (H, W); 0 is the background of both."""
    rows, at_row = np.unique(first, return_inverse=True)
    columns, at_column = np.unique(second, return_inverse=True)
    counts = np.bincount(
        at_row.ravel() * len(columns) + at_column.ravel(), minlength=len(rows) * len(columns)
    ).reshape(len(rows), len(columns))
    real_rows, real_columns = rows != 0, columns != 0
    return Overlaps(
        rows[real_rows].astype(np.int64),
        columns[real_columns].astype(np.int64),
        counts[np.ix_(real_rows, real_columns)],
        counts.sum(axis=1)[real_rows],
        counts.sum(axis=0)[real_columns],
    )


def match(scores: npt.NDArray[np.float64], least: float) -> dict[int, int]:
    """Return pairs of row and column, each used once, of the highest sum of scores; none below `least`."""
    allowed = np.where(scores >= least, scores, 0.0)
    pairs = zip(*linear_sum_assignment(allowed, maximize=True), strict=True)
    return {int(row): int(column) for row, column in pairs if scores[row, column] >= max(least, 1e-12)}
