"""Prompts as rows of a table: a click, a box or a label image each."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from napari_sam2.batch.plan import LabelPrompt, ObjectPrompt, PlanError
from napari_sam2.errors import PromptError, StorageError
from napari_sam2.prompts import Box, Click, FrameIndex, ObjectId, PromptSet

COLUMNS = ("image", "object", "frame", "y", "x", "positive", "y0", "x0", "y1", "x1", "labels", "output")
_YES = {"": True, "1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(slots=True)
class Said:
    """All rows of one image."""

    prompts: dict[tuple[ObjectId, FrameIndex], PromptSet] = field(default_factory=dict)
    labels: LabelPrompt | None = None
    output: str | None = None

    def as_prompts(self) -> tuple[ObjectPrompt, ...]:
        """Return the clicks and boxes."""
        return tuple(ObjectPrompt(number, frame, said) for (number, frame), said in self.prompts.items())


def read_rows(path: Path) -> dict[str, Said]:
    """Read a table of prompts.

    Parameters
    ----------
    path
        A .csv file with a header. ``image`` is needed in every row; ``object`` counts from 1 (1 by default),
        ``frame`` from 0 (0 by default). A click has ``y`` and ``x``, and perhaps ``positive`` (yes or no); a
        box has ``y0``, ``x0``, ``y1`` and ``x1``; ``labels`` is a label image. ``output`` may stand in any
        row of an image.

    Returns
    -------
    dict
        By image, in the order of the table.

    Raises
    ------
    StorageError
        The file cannot be read.
    PlanError
        Every row that says nothing or contradicts itself.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, skipinitialspace=True)
            rows = list(table)
            columns = [name.strip() for name in table.fieldnames or ()]
    except (OSError, ValueError, csv.Error) as error:
        raise StorageError(
            f"The table {path} cannot be read ({error}): export it as CSV in UTF-8."
        ) from error
    if "image" not in columns or (unknown := set(columns) - set(COLUMNS)):
        wrong = f"has the column {min(unknown)!r}" if "image" in columns else "has no column 'image'"
        raise PlanError(
            [f"{path.name} {wrong}: its columns are {', '.join(COLUMNS)}, of which image is needed"]
        )
    found: dict[str, Said] = {}
    problems = []
    for line, row in enumerate(rows, 2):
        cells = {name.strip(): (text or "").strip() for name, text in row.items() if isinstance(text, str)}
        try:
            if None in row:
                raise PromptError("it has more cells than the header")
            _add(found.setdefault(cells.get("image", ""), Said()), cells, path.parent)
        except PromptError as error:
            problems.append(f"{path.name}, line {line}: {error}")
    if problems:
        raise PlanError(problems)
    return found


def _add(said: Said, cells: Mapping[str, str], folder: Path) -> None:
    if not cells.get("image"):
        raise PromptError("it names no image")
    if output := cells.get("output"):
        if said.output not in (None, output):
            raise PromptError(f"its output is {output}, but {said.output} was given before")
        said.output = output
    frame = _whole(cells, "frame", 0, 0)
    if labels := cells.get("labels"):
        if said.labels is not None:
            raise PromptError("the image has a label image already")
        said.labels = LabelPrompt(folder / labels, frame)
    number = _whole(cells, "object", 1, 1)
    before = said.prompts.get((number, frame), PromptSet())
    clicks, box = list(before.clicks), before.box
    for y, x in _numbers(cells, ("y", "x")):
        positive = _YES.get(cells.get("positive", "").lower())
        if positive is None:
            raise PromptError(f"positive is yes or no, got {cells['positive']!r}")
        clicks.append(Click(y, x, positive))
    for corners in _numbers(cells, ("y0", "x0", "y1", "x1")):
        if box is not None:
            raise PromptError(f"object {number} has a box on frame {frame} already")
        box = Box(*corners)
    if clicks or box is not None:
        said.prompts[number, frame] = PromptSet(tuple(clicks), box)
    if (len(clicks), box) == (len(before.clicks), before.box) and not labels:
        raise PromptError("it has neither y and x, nor y0, x0, y1 and x1, nor labels")


def _numbers(cells: Mapping[str, str], names: tuple[str, ...]) -> Iterator[tuple[float, ...]]:
    """Yield the numbers of some cells, if they are filled: all or none."""
    texts = [cells.get(name, "") for name in names]
    if not any(texts):
        return
    try:
        yield tuple(float(text) for text in texts)
    except ValueError:
        wrong = next(name for name, text in zip(names, texts, strict=True) if not _is_number(text))
        raise PromptError(
            f"{wrong} is {cells.get(wrong, '')!r}, but {', '.join(names)} are numbers"
        ) from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _whole(cells: Mapping[str, str], name: str, usual: int, least: int) -> int:
    text = cells.get(name, "")
    if not text:
        return usual
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise PromptError(f"{name} is a whole number from {least} on, got {text!r}")
    return int(text)
