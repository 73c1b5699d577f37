"""The object table as values: its rows, and what can be done to those that are selected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from napari_sam2.plugin.confidence_curve import Curve
from napari_sam2.plugin.controls import Control, controls_for
from napari_sam2.plugin.status import Status
from napari_sam2.prompts import ObjectId
from napari_sam2.session.lineage import Lineage, daughters, families
from napari_sam2.session.objects import SessionObject


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    object_id
        Which object.
    name
        What the user calls it.
    mother
        Whose daughter it is; None without one in the table.
    covered, frames
        On how many frames it has a mask, of how many.
    least
        The least confidence of all its frames, 0 to 1; None while unknown.
    hidden, committed
        As the session says.
    begun
        Whether the session knows of it; else it waits for its first prompt.
    label_class
        What it is; empty where nobody said.
    """

    object_id: ObjectId
    name: str
    mother: ObjectId | None = None
    covered: int = 0
    frames: int = 0
    least: float | None = None
    hidden: bool = False
    committed: bool = False
    begun: bool = True
    label_class: str = ""


def table_rows(
    objects: Mapping[ObjectId, SessionObject],
    lineage: Lineage,
    curves: Mapping[ObjectId, Curve],
    frames: int,
    current: ObjectId,
) -> tuple[Row, ...]:
    """Return the lines of the table, each mother above her daughters.

    Parameters
    ----------
    objects, lineage
        What the session has.
    curves
        Confidence by object, as far as it is known.
    frames
        Length of the sequence.
    current
        The object that the next prompt is for: it has a line, the last one, even before the session knows it.
    """
    rows = []
    for branch in families(lineage, objects):
        number = branch.object_id
        known, curve = objects[number], curves.get(number)
        rows.append(
            Row(
                number,
                known.name,
                lineage[number].mother if branch.depth else None,
                0 if curve is None else curve.covered,
                frames,
                None if curve is None else curve.least,
                known.hidden,
                known.committed,
                label_class=known.label_class,
            )
        )
    if current not in objects:
        rows.append(Row(current, f"Object {current}", frames=frames, begun=False))
    return tuple(rows)


def reasons(
    status: Status, rows: Sequence[Row], selected: Collection[ObjectId], lineage: Lineage
) -> dict[Control, str]:
    """Return why each control of the table cannot work on the selection now; an empty text where it can.

    Parameters
    ----------
    status
        What the window stands at.
    rows
        Of the table.
    selected
        The selected ones.
    lineage
        Who descends from whom.
    """
    why = {control: controls_for(status)[control] for control in TABLE}
    chosen = [row for row in rows if row.object_id in selected]
    begun = [row for row in chosen if row.begun]
    # The table knows of committed objects that are not the current one, so it asks by itself.
    locked = next((row for row in begun if row.committed), None)
    held = f"{locked.name} is committed: press Commit again to change it." if locked else ""
    if not begun and rows:
        waits = f"{chosen[0].name} has no prompt yet: click it in the image." if chosen else "Select a row."
        for control in set(TABLE) - {Control.NEW_OBJECT, Control.MERGE}:
            why[control] = why[control] or waits
    why[Control.MERGE] = why[Control.MERGE] or _merging(begun, lineage) or held
    why[Control.DELETE] = why[Control.DELETE] or held
    if not why[Control.DIVIDE]:
        why[Control.DIVIDE] = held or _dividing(status, begun, lineage)
    return why


TABLE = (
    Control.NEW_OBJECT,
    Control.MERGE,
    Control.DELETE,
    Control.HIDE,
    Control.COMMIT,
    Control.RENAME,
    Control.CLASSIFY,
    Control.DIVIDE,
)


def _merging(chosen: Sequence[Row], lineage: Lineage) -> str:
    if len(chosen) < 2:
        return "Select two or more rows (Ctrl+click)."
    related = {division.mother for division in lineage.values()} | lineage.keys()
    kin = next((row for row in chosen if row.object_id in related), None)
    return f"{kin.name} divides or comes from a division: undo the division first." if kin else ""


def _dividing(status: Status, chosen: Sequence[Row], lineage: Lineage) -> str:
    if len(chosen) != 1:
        return "Select one row, that of the mother."
    mother = chosen[0]
    if daughters(lineage, mother.object_id):
        return f"{mother.name} divides already."
    own = lineage.get(mother.object_id)
    if own is not None and status.frame <= own.frame:
        return f"{mother.name} begins on {status.word} {own.frame}: go beyond it."
    return ""


def kept_of(selected: Collection[ObjectId], current: ObjectId) -> ObjectId:
    """Return which object of a selection is left after merging: the current one, else the first."""
    return current if current in selected else min(selected)


def left_over(rows: Sequence[Row], gone: Collection[ObjectId], current: ObjectId) -> ObjectId | None:
    """Return which object to go on with after some were deleted; None where none is left.

    Parameters
    ----------
    rows
        Of the table as it was.
    gone
        What is deleted.
    current
        The object that was prompted so far; it is kept if it is still there.
    """
    left = [row.object_id for row in rows if row.begun and row.object_id not in gone]
    if current in left or not left:
        return current if left else None
    place = next((place for place, row in enumerate(rows) if row.object_id == current), 0)
    above = [row.object_id for row in rows[:place] if row.object_id in left]
    return above[-1] if above else left[0]


def named(rows: Sequence[Row]) -> str:
    """Return the names of rows as a sentence begins with them: no more than three, then a count."""
    names = [row.name for row in rows]
    if len(names) > 3:
        return f"{len(names)} objects"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
