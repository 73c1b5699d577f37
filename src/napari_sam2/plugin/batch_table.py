"""What a batch is doing, file by file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_sam2.plugin.batch_work import Row

if TYPE_CHECKING:
    from napari_sam2.batch.outcome import Note, Outcome

_HEADS = (
    ("file", "The image; what it is written to is in its tooltip."),
    ("state", "Waiting, running, done, done before, or failed; why is in its tooltip, and in the report."),
    ("frames", "How many are followed of how many; followed both ways, a frame counts twice."),
    ("s", "Seconds of work."),
)
_FILE, _STATE, _FRAMES, _SECONDS = range(4)
_LINES = 6


class BatchTable(QTableWidget):
    """A row a file: state, frames, seconds."""

    def __init__(self) -> None:
        super().__init__(0, len(_HEADS))
        self._numbers: dict[str, int] = {}
        self._began: dict[str, float] = {}
        self._parts: dict[str, dict[int, Note]] = {}
        self._shares: list[float] = []
        self.failed = self.finished = 0
        for column, (head, tip) in enumerate(_HEADS):
            item = QTableWidgetItem(head)
            item.setToolTip(tip)
            self.setHorizontalHeaderItem(column, item)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setToolTip("What is done with each file.")
        line = self.fontMetrics().lineSpacing() + 6
        self.setMinimumHeight(line * (_LINES + 1))
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.hide()
        rows.setDefaultSectionSize(line)
        columns.setSectionResizeMode(_FILE, QHeaderView.ResizeMode.Stretch)
        measure = self.fontMetrics().horizontalAdvance
        for column, widest in ((_STATE, "done before"), (_FRAMES, "0000/0000"), (_SECONDS, "00000")):
            columns.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, measure(widest) + 10)

    @property
    def share(self) -> float:
        """How much of everything is done, 0 to 1."""
        return sum(self._shares) / len(self._shares) if self._shares else 0.0

    def begin(self, rows: Sequence[Row]) -> None:
        """Show a plan of which nothing is done."""
        self._numbers = {row.name: number for number, row in enumerate(rows)}
        self._began, self._parts = {}, {}
        self._shares = [0.0] * len(rows)
        self.failed = self.finished = 0
        self.setRowCount(0)
        self.setRowCount(len(rows))
        for number, row in enumerate(rows):
            self._write(number, _FILE, row.image.name, f"{row.image}\ninto {row.output}")
            length = "cannot be opened" if row.frames is None else f"{row.frames} frames"
            self._write(number, _STATE, "waiting", length)
            self._write(number, _FRAMES, "?" if row.frames is None else str(row.frames))

    def note(self, note: Note) -> None:
        """Show that frames of a file are done."""
        number = self._numbers[note.name]
        if self._shares[number] == 1.0:
            return
        began = self._began.setdefault(note.name, time.monotonic())
        parts = self._parts.setdefault(note.name, {})
        parts[note.part] = note
        done, total = (sum(getattr(one, name) for one in parts.values()) for name in ("done", "total"))
        # The last frame is not the end: results are still to be written.
        self._shares[number] = 0.99 * done / max(total, 1)
        self._write(number, _STATE, "running", note.worker)
        self._write(number, _FRAMES, f"{done}/{total}")
        self._write(number, _SECONDS, f"{time.monotonic() - began:.0f}")

    def end(self, outcome: Outcome) -> None:
        """Show what became of a file."""
        from napari_sam2.batch.outcome import Status

        number = self._numbers[outcome.name]
        failed = outcome.status is Status.FAILED
        self._shares[number] = 1.0
        self.finished += 1
        self.failed += failed
        told = (
            outcome.message if failed else f"{outcome.objects} objects, confidence {outcome.confidence:.2f}"
        )
        self._write(number, _STATE, outcome.status.value, told)
        if not failed:
            self._write(number, _FRAMES, str(outcome.frames))
        self._write(number, _SECONDS, f"{outcome.seconds:.0f}")
        if failed:
            item = self.item(number, _STATE)
            assert item is not None
            font = item.font()
            font.setBold(True)
            item.setFont(font)
            self.scrollToItem(item)

    def stop(self) -> None:
        """Show that nothing is under way any more."""
        for name in self._began:
            number = self._numbers[name]
            if self._shares[number] < 1.0:
                self._write(number, _STATE, "stopped", "Start goes on with the first frame that is not done.")

    def states(self) -> tuple[str, ...]:
        """Return what the rows say, from the first to the last."""
        items = [self.item(number, _STATE) for number in range(self.rowCount())]
        return tuple("" if item is None else item.text() for item in items)

    def _write(self, number: int, column: int, text: str, tip: str = "") -> None:
        item = self.item(number, column)
        if item is None:
            item = QTableWidgetItem()
            if column in (_FRAMES, _SECONDS):
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(number, column, item)
        item.setText(text)
        item.setToolTip(tip or text)
