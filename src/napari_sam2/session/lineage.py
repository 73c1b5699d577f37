"""Who descends from whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from napari_sam2.prompts import FrameIndex, ObjectId


@dataclass(frozen=True, slots=True)
class Division:
    """Where an object comes from: its mother, and the first frame on which the daughters are apart."""

    mother: ObjectId
    frame: FrameIndex


@dataclass(frozen=True, slots=True)
class Edge:
    """A line of the family tree: from a mother to a daughter, at the frame on which she begins."""

    mother: ObjectId
    daughter: ObjectId
    frame: FrameIndex


@dataclass(frozen=True, slots=True)
class Branch:
    """An object's place in a table of families: `depth` is 0 for one that comes from no division."""

    object_id: ObjectId
    depth: int


Lineage = Mapping[ObjectId, Division]


def daughters(lineage: Lineage, mother: ObjectId) -> tuple[ObjectId, ...]:
    """Return the daughters of an object, in the order of their ids."""
    return tuple(sorted(child for child, division in lineage.items() if division.mother == mother))


def life(lineage: Lineage, object_id: ObjectId, length: int) -> range:
    """Return the frames, of 0 to `length` - 1, between an object's birth and its own division."""
    own = lineage.get(object_id)
    ends = [division.frame for division in lineage.values() if division.mother == object_id]
    return range(own.frame if own else 0, min(ends, default=length))


def edges(lineage: Lineage) -> tuple[Edge, ...]:
    """Return all lines of the family tree, in the order of frames."""
    found = (Edge(division.mother, child, division.frame) for child, division in lineage.items())
    return tuple(sorted(found, key=lambda edge: (edge.frame, edge.mother, edge.daughter)))


def families(lineage: Lineage, object_ids: Iterable[ObjectId]) -> tuple[Branch, ...]:
    """Return objects as lines of a table: each mother above her daughters, who are indented by one.

    Parameters
    ----------
    lineage
        Mother and first frame of every daughter.
    object_ids
        What the table holds; a daughter whose mother is not in it stands by herself.
    """
    known = set(object_ids)
    children: dict[ObjectId, list[ObjectId]] = {}
    roots = []
    for number in sorted(known, reverse=True):
        own = lineage.get(number)
        if own is None or own.mother not in known:
            roots.append(number)
        else:
            children.setdefault(own.mother, []).append(number)
    table, waiting = [], [Branch(number, 0) for number in roots]
    while waiting:
        branch = waiting.pop()
        table.append(branch)
        waiting += [Branch(child, branch.depth + 1) for child in children.get(branch.object_id, ())]
    return tuple(table)
