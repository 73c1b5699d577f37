"""Families as bars and forks."""

from __future__ import annotations

from napari_sam2.plugin.lineage_layout import Bar, Fork, Tree, bar_at, tree
from napari_sam2.session.lineage import Division

LINEAGE = {4: Division(1, 3), 5: Division(1, 3), 6: Division(5, 7), 7: Division(5, 7)}
COVERED = {1: range(0, 3), 2: range(10), 4: range(3, 8), 5: (), 6: range(7, 9), 7: (7,)}


def test_two_generations() -> None:
    assert tree(LINEAGE, COVERED, 10) == Tree(
        (Bar(1, 0.75, 0, 2), Bar(4, 0.0, 3, 7), Bar(5, 1.5, 3, 6), Bar(6, 1.0, 7, 8), Bar(7, 2.0, 7, 7)),
        (Fork(3, 0.75, 0.0, 4), Fork(3, 0.75, 1.5, 5), Fork(7, 1.5, 1.0, 6), Fork(7, 1.5, 2.0, 7)),
        3,
    )


def test_no_family() -> None:
    assert tree({}, COVERED, 10) == Tree((), (), 0)


def test_a_daughter_whose_mother_was_deleted_stands_alone() -> None:
    drawn = tree({4: Division(1, 3)}, {4: (3, 4)}, 10)
    assert drawn == Tree((Bar(4, 0.0, 3, 4),), (), 1)


def test_what_is_under_the_pointer() -> None:
    drawn = tree(LINEAGE, COVERED, 10)
    assert bar_at(drawn, 1, 0.9).object_id == 1
    assert bar_at(drawn, 4, 0.2).object_id == 4
    assert bar_at(drawn, 8, 1.2).object_id == 6
    assert bar_at(drawn, 9, 0.0) is None
    assert bar_at(drawn, 1, 2.0) is None
