"""What an evaluation comes to: rows of a table, single values, curves, and cases to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from napari_sam2.inference.masklet import RunLengths
from napari_sam2.prompts import FrameIndex, ObjectId

MODEL = "model"
BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a mean over so many objects, of the model and of the classical way."""

    figure: str
    count: int
    model: float
    baseline: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A single value: of which method, where, after which prompt. `frame` is None for a whole sequence."""

    method: str
    sequence: str
    object_id: ObjectId
    frame: FrameIndex | None
    prompt: str
    measure: str
    value: float


@dataclass(frozen=True, slots=True)
class Line:
    """Points of one method."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """A plot: file name without ending, title, axes, and a line a method."""

    name: str
    title: str
    x: str
    y: str
    lines: Mapping[str, Line]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One result of the model, to be found again if it is among the worst."""

    sequence: str
    frame: FrameIndex
    object_id: ObjectId
    score: float
    found: RunLengths


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All of it."""

    rows: tuple[Row, ...]
    measured: tuple[Measured, ...]
    curves: tuple[Curve, ...]
    cases: tuple[Case, ...] = ()

    def worst(self, count: int) -> list[Case]:
        """Return the worst cases, worst first."""
        return sorted(self.cases, key=lambda case: case.score)[:count]
