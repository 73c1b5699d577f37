"""A family tree as bars along the frames."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from napari_sam2.prompts import FrameIndex, ObjectId
from napari_sam2.session.lineage import Lineage, daughters, families, life


@dataclass(frozen=True, slots=True)
class Bar:
    """An object in the tree.

    Attributes
    ----------
    object_id
        Which one.
    row
        How far down, in lines; a mother lies in the middle of her daughters.
    first, last
        Frames on which it lives, both included.
    """

    object_id: ObjectId
    row: float
    first: FrameIndex
    last: FrameIndex


@dataclass(frozen=True, slots=True)
class Fork:
    """A division: from the row of the mother to that of a daughter."""

    frame: FrameIndex
    mother_row: float
    daughter_row: float
    daughter: ObjectId


@dataclass(frozen=True, slots=True)
class Tree:
    """All families.

    Attributes
    ----------
    bars, forks
        What to draw.
    rows
        How many lines it takes.
    """

    bars: tuple[Bar, ...]
    forks: tuple[Fork, ...]
    rows: int


def tree(lineage: Lineage, covered: Mapping[ObjectId, Collection[FrameIndex]], frames: int) -> Tree:
    """Lay out every family with a division.

    Parameters
    ----------
    lineage
        Mother and first frame of every daughter.
    covered
        Frames on which each object has a mask; those without any are drawn for as long as they may live.
    frames
        Length of the sequence.
    """
    related = {*lineage, *(division.mother for division in lineage.values())} & covered.keys()
    order = [branch.object_id for branch in families(lineage, related)]
    rows: dict[ObjectId, float] = {}
    leaves = 0
    for number in order:
        if not _children(lineage, number, related):
            rows[number] = float(leaves)
            leaves += 1
    for number in reversed(order):  # daughters come after their mother
        own = [rows[child] for child in _children(lineage, number, related)]
        if own:
            rows[number] = sum(own) / len(own)
    bars = tuple(_bar(lineage, number, rows[number], covered[number], frames) for number in order)
    forks = tuple(
        Fork(lineage[number].frame, rows[lineage[number].mother], rows[number], number)
        for number in order
        if number in lineage and lineage[number].mother in related
    )
    return Tree(bars, forks, leaves)


def bar_at(drawn: Tree, frame: FrameIndex, row: float) -> Bar | None:
    """Return the object at a place: in the nearest row, within half a line.

    Parameters
    ----------
    drawn
        The tree.
    frame, row
        The place; rows need not be whole.
    """
    there = [bar for bar in drawn.bars if bar.first <= frame <= bar.last and abs(bar.row - row) <= 0.5]
    return min(there, key=lambda bar: abs(bar.row - row), default=None)


def _children(lineage: Lineage, mother: ObjectId, known: Collection[ObjectId]) -> list[ObjectId]:
    return [child for child in daughters(lineage, mother) if child in known]


def _bar(lineage: Lineage, number: ObjectId, row: float, covered: Collection[FrameIndex], frames: int) -> Bar:
    lives = life(lineage, number, frames)
    first, last = min(covered, default=lives.start), max(covered, default=lives.stop - 1)
    # A bar meets the divisions at its ends, whether or not propagation has come so far.
    if number in lineage:
        first = lives.start
    if daughters(lineage, number):
        last = lives.stop - 1
    return Bar(number, row, first, max(first, last))
