"""A propagation from frame to frame, which can be stopped at each."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from napari_sam2.errors import PromptError
from napari_sam2.prompts import Direction, FrameIndex, ObjectId
from napari_sam2.session.access import known_object, open_object
from napari_sam2.session.commands import Propagate
from napari_sam2.session.document import Document
from napari_sam2.session.ledger import Ledger, without


@dataclass(frozen=True, slots=True)
class FrameDone:
    """A frame that propagation has been over.

    Attributes
    ----------
    frame
        Which one.
    done, total
        How many frames of how many that are behind.
    stopped
        Objects that the leak guard stopped here; they keep what they had on this frame.
    """

    frame: FrameIndex
    done: int
    total: int
    stopped: tuple[ObjectId, ...] = ()


def plan(
    document: Document,
    length: int,
    object_ids: Collection[ObjectId] | None,
    start: FrameIndex | None,
    stop: FrameIndex | None,
    direction: Direction | str,
    from_first: bool | None,
) -> Propagate:
    """Return which objects go over which frames, or raise `PromptError`; see `Session.propagate`."""
    if direction not in (*Direction, *(known.value for known in Direction)):
        raise PromptError(f'The direction is "forward" or "backward", got {direction!r}.')
    direction = Direction(direction)
    if object_ids is None:
        chosen = [
            key for key, row in document.objects.items() if not row.committed and _prompted(document, key)
        ]
        if not chosen:
            raise PromptError("There is nothing to follow: prompt an object that is not committed first.")
    else:
        chosen = sorted(set(object_ids))
        for key in chosen:
            known_object(document, key)
            open_object(document, key)
        lost = [str(key) for key in chosen if not _prompted(document, key)]
        if lost or not chosen:
            raise PromptError(
                f"Object {', '.join(lost)} has no prompt: give it a click, a box or a mask first."
                if lost
                else "There is nothing to follow: name at least one object."
            )
    firsts = [min(document.prompts_of(key)) for key in chosen]
    if from_first is None:
        from_first = start is None
    if start is None:
        start = min(firsts) if direction is Direction.FORWARD else max(firsts)
    if stop is None:
        stop = length - 1 if direction is Direction.FORWARD else 0
    for frame in (start, stop):
        if not 0 <= frame < length:
            raise PromptError(
                f"There is no frame {frame}: the sequence has {length}, numbered 0 to {length - 1}."
            )
    if (stop - start) * direction.step < 0:
        raise PromptError(f"Going {direction.value}, frame {stop} does not come after frame {start}.")
    return Propagate(tuple(sorted(chosen)), start, stop, direction, from_first)


def follow(ledger: Ledger, wanted: Propagate) -> Iterator[FrameDone]:
    """Go over the frames of a propagation; closing stops after the current one, and so does another run."""
    run = ledger.begin_run()
    step, total = wanted.direction.step, len(wanted.frames)
    try:
        for done, frame in enumerate(wanted.frames, 1):  # fixed here, whatever `wanted` becomes
            if not ledger.runs(run):
                return
            rest = None if done == total else replace(wanted, start=frame + step)
            visit = ledger.visit(frame, wanted, rest)
            if visit is not None:
                ledger.events.progress.emit(done, total)
                yield FrameDone(frame, done, total, visit.stopped)
                left = without(wanted, visit.stopped)
                if left is None:
                    return
                wanted = left
    finally:
        if ledger.runs(run):
            ledger.seal()


def _prompted(document: Document, object_id: ObjectId) -> bool:
    return bool(document.prompts_of(object_id))
