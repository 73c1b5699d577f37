"""What comes from sessions and workers, on its way to the board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari.utils.notifications import show_warning
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_sam2.plugin.board import Board
from napari_sam2.plugin.keymap import Action, Shortcut
from napari_sam2.plugin.run_report import RunReport, ending
from napari_sam2.plugin.sitting import Sitting
from napari_sam2.plugin.status import Model
from napari_sam2.plugin.turn_taking import TurnTaking
from napari_sam2.prompts import FrameIndex, ObjectId
from napari_sam2.session.worker import Outcome, Ticket

# Results are drawn at most so often; napari's own drawing takes its share of each interval.
TICK_MS = 80


class News:
    """Brings what happens in worker threads to the main thread, and onto the board.

    Parameters
    ----------
    board
        Told of everything.
    sitting
        Returns the current one.
    frame
        Returns the frame on screen.
    shortcuts
        Keys, for what is said.
    parent
        What the timer lives as long as.
    """

    _ticket_done = Signal(object)

    def __init__(
        self,
        board: Board,
        sitting: Callable[[], Sitting | None],
        frame: Callable[[], FrameIndex],
        shortcuts: Mapping[Action, Shortcut],
        parent: QObject | None,
    ) -> None:
        self._board = board
        self._sitting = sitting
        self._frame = frame
        self._shortcuts = shortcuts
        self._report = RunReport()
        self._turns = TurnTaking()
        board.events.status_changed.connect(lambda status: self._turns.hurry(status.running))
        self._ticket_done.connect(self._done, thread="main")
        self._timer = QTimer(parent)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.draw)
        self._timer.start()

    def deliver(self, ticket: Ticket) -> None:
        """Take a ticket that is done; from any thread."""
        self._ticket_done.emit(ticket)

    def begin_run(self) -> None:
        """Say that a propagation was asked for."""
        self._board.set(**self._report.begin())

    def follow(self, sitting: Sitting) -> None:
        """Listen to a sitting from now on, and say what there is."""
        events = sitting.session.events
        if not len(events.progress):  # it may be taken up again
            events.objects_changed.connect(self._objects_changed, thread="main")
            events.progress.connect(self._progress, thread="main")
            events.failed.connect(self._board.warn, thread="main")
            events.stopped.connect(self._stopped, thread="main")
            events.halved.connect(self._halved, thread="main")
        self._board.set(model=Model.READY, **sitting.facts(self._frame()))

    def greet(self, sitting: Sitting) -> None:
        """Say what to do first."""
        if sitting.earlier is not None:
            self._board.say("An earlier session of this image is there: Restore takes it up.")
        elif sitting.session.steps:
            self._board.say("The session is there again.")
        else:
            key = self._shortcuts[Action.FORWARD].shown
            follow = f" Then press {key} to follow it." if self._board.status.frames > 1 else ""
            self._board.say(f"Click an object.{follow}")
        self._board.events.image_changed.emit()
        self._board.events.objects_changed.emit()
        self.draw()

    def look(self, event: Any = None) -> None:
        """Bring the status up to date, and let the frame on screen be encoded while nothing else is to do."""
        sitting = self._sitting()
        if sitting is not None:
            self._board.set(**sitting.facts(self._frame()))
            if not self._board.status.running:
                sitting.worker.look_at(self._board.status.frame)

    def draw(self) -> None:
        """Show the masks that have come."""
        sitting = self._sitting()
        changed = frozenset() if sitting is None else sitting.label_layer.flush(self._frame())
        if changed:
            self._board.events.masks_changed.emit(changed)

    def close(self) -> None:
        """Draw no more."""
        self._turns.hurry(False)
        self._timer.stop()

    def _progress(self, done: int, total: int) -> None:
        if self._board.status.running:
            self._board.set(**self._report.at(done, total))

    def _stopped(self, object_id: ObjectId, frame: FrameIndex) -> None:
        self._board.say(
            f"Object {object_id} jumps on {self._board.status.word} {frame}: following it stopped there. "
            "Correct it and go on, or leave it if it has ended."
        )

    def _halved(self, count: int) -> None:
        show_warning(f"Memory is short: going on with {count} objects at a time, which is slower.")

    def _objects_changed(self) -> None:
        sitting = self._sitting()
        if sitting is not None:
            sitting.mirror()
            self.look()
            self._board.events.objects_changed.emit()

    def _done(self, ticket: Ticket) -> None:
        sitting = self._sitting()
        if sitting is None:
            return
        sitting.done(ticket)
        error = ticket.future.exception() if ticket.outcome is Outcome.FAILED else None
        if error is not None:
            self._board.warn(error)
        elif ticket.outcome is Outcome.COMPLETED and ticket.name.endswith("."):
            self._board.say(ticket.name)
        else:
            keys = (self._shortcuts[action].shown for action in (Action.NEXT_WORST, Action.RESUME))
            told = ending(ticket, self._board.status.word, *keys)
            self._board.say(told or self._board.status.message)
        self.draw()
        self.look()
        self._board.events.objects_changed.emit()
