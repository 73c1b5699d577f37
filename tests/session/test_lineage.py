"""Families as a table and as lines."""

from __future__ import annotations

from napari_sam2.session.lineage import Branch, Division, Edge, edges, families

LINEAGE = {5: Division(2, 4), 7: Division(2, 4), 3: Division(7, 9), 9: Division(7, 9), 8: Division(1, 6)}


def test_mothers_stand_above_their_daughters() -> None:
    table = families(LINEAGE, [9, 8, 7, 6, 5, 3, 2, 1])
    assert [(row.object_id, row.depth) for row in table] == [
        (1, 0),
        (8, 1),
        (2, 0),
        (5, 1),
        (7, 1),
        (3, 2),
        (9, 2),
        (6, 0),
    ]


def test_a_table_of_some_objects() -> None:
    assert families(LINEAGE, [9, 7]) == (Branch(7, 0), Branch(9, 1))
    assert families(LINEAGE, [9, 3]) == (Branch(3, 0), Branch(9, 0)), "their mother is not in it"
    assert families({}, []) == ()


def test_lines_in_the_order_of_frames() -> None:
    assert edges(LINEAGE) == (Edge(2, 5, 4), Edge(2, 7, 4), Edge(1, 8, 6), Edge(7, 3, 9), Edge(7, 9, 9))
