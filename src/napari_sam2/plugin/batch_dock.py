"""Batch: what was tried on one image, done to a folder of them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from qtpy.QtCore import Qt, QTimer, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_sam2.errors import Sam2Error
from napari_sam2.plugin.attach import bridge_of
from napari_sam2.plugin.batch_form import BatchForm
from napari_sam2.plugin.batch_order import Said, order, read, told, usual, why_not
from napari_sam2.plugin.batch_table import BatchTable
from napari_sam2.plugin.batch_work import BatchWork, Row
from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.track_panel import duration

if TYPE_CHECKING:
    from napari_sam2.batch.apart import Report
    from napari_sam2.batch.outcome import Note, Outcome

_STEPS = 1000
_TICK_MS = 500


class BatchDock(QWidget):
    """Batch.

    Parameters
    ----------
    napari_viewer
        The viewer that it is docked to.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.bridge: Bridge = bridge_of(napari_viewer)
        self.form = BatchForm()
        self.table = BatchTable()
        self.work = BatchWork(self)
        self._page: Path | None = None
        self._only_check = self._going = False
        self._began = self._share = 0.0
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.addWidget(self.form)
        self._build()
        scroll = QScrollArea()
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)
        self._clock = QTimer(self)
        self._clock.setInterval(_TICK_MS)
        self._clock.timeout.connect(self._tick)
        self.work.checked.connect(self._checked)
        self.work.noted.connect(self._noted)
        self.work.ended.connect(self._ended)
        self.work.reported.connect(self._reported)
        self.work.failed.connect(self._failed)
        self.work.stopped.connect(self._stopped)
        # Nobody could stop it any more, or see what it does; what is done stays.
        # A function, since Qt calls no method of what is being destroyed with it.
        stop = self.work.stop
        self.destroyed.connect(lambda: stop())
        self.form.changed.connect(self._refresh)
        listen(self, self.bridge.events.objects_changed, self._refresh)
        listen(self, self.bridge.events.image_changed, self._image_changed)
        self._image_changed()

    def _build(self) -> None:
        buttons = QHBoxLayout()
        self._check, self._start, self._cancel, self._report = (
            QPushButton(text) for text in ("Check", "Start", "Cancel", "Report")
        )
        for button, pressed in (
            (self._check, partial(self.start, only_check=True)),
            (self._start, self.start),
            (self._cancel, self.cancel),
            (self._report, self.open_report),
        ):
            button.setAutoDefault(False)
            # Side by side in a dock of 320 pixels, whatever style there is.
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _=False, pressed=pressed: pressed())
            buttons.addWidget(button, 1)
        self._column.addLayout(buttons)
        self._bar = QProgressBar()
        self._bar.setRange(0, _STEPS)
        self._bar.setToolTip("How much of all files is done.")
        self._column.addWidget(self._bar)
        self._words = QLabel()
        self._words.setWordWrap(True)
        self._words.setMinimumHeight(2 * self._words.fontMetrics().lineSpacing())
        self._words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._column.addWidget(self._words)
        self._problems = QPlainTextEdit()
        self._problems.setReadOnly(True)
        self._problems.setToolTip(
            "All that is wrong with the plan, of which nothing is done then; or why files failed."
        )
        self._problems.setMinimumHeight(8 * self._problems.fontMetrics().lineSpacing())
        self._problems.hide()
        self._column.addWidget(self.table, 2)
        self._column.addWidget(self._problems, 1)

    @property
    def words(self) -> str:
        """What is said below the bar."""
        return str(self._words.text())

    @property
    def problems(self) -> tuple[str, ...]:
        """What was found to be wrong with the plan, or why files failed."""
        return tuple(line for line in str(self._problems.toPlainText()).splitlines() if line)

    # What the user says

    def start(self, only_check: bool = False) -> None:
        """Look for what is wrong, and if nothing is, begin or go on.

        Parameters
        ----------
        only_check
            Whether to begin nothing.
        """
        if self.form.why_not(why_not(self.bridge.session)) or self.work.running:
            return
        from napari_sam2.session_prompts import template_of_open

        filled, choices = self.form.filled(), self.bridge.choices
        session = self.bridge.session
        template = (
            template_of_open(session, choices.model)
            if session is not None and filled.said is Said.SESSION
            else None
        )
        self._only_check, self._going, self._page = only_check, False, None
        self._problems.clear()
        self._problems.hide()
        self.table.show()
        self.table.begin(())
        self._bar.setValue(0)
        self._say("Looking through the files ...")
        self.work.start(
            partial(read, filled, usual(filled, choices), template),
            partial(order, filled),
            only_check=only_check,
        )
        self._refresh()

    def cancel(self) -> None:
        """Stop; what is done stays."""
        self.work.stop()
        self._say("Stopping ...")

    def open_report(self) -> None:
        """Show the page in a browser."""
        if self._page is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._page)))

    # What happens

    def _checked(self, rows: tuple[Row, ...]) -> None:
        self.table.begin(rows)
        frames, lost = sum(row.frames or 0 for row in rows), sum(row.frames is None for row in rows)
        count = f"{len(rows)} file{'s' * (len(rows) != 1)}, {frames} frames"
        but = f", but {lost} cannot be opened and will fail" if lost else ""
        self._say(f"{count}: nothing is wrong{but}.")
        self._going = not self._only_check
        if self._going:
            self._began, self._share = time.monotonic(), 0.0
            self._clock.start()

    def _noted(self, note: Note) -> None:
        self.table.note(note)
        self._bar.setValue(round(_STEPS * self.table.share))

    def _ended(self, outcome: Outcome) -> None:
        before = self.table.share
        self.table.end(outcome)
        if outcome.message:
            self._list([f"{outcome.name}: {outcome.message}"])
        if not outcome.computed:
            self._share += self.table.share - before  # no time went into that
        self._bar.setValue(round(_STEPS * self.table.share))

    def _reported(self, report: Report) -> None:
        self._page = report.page
        self._end(f"{report.summary}.")

    def _failed(self, error: Exception) -> None:
        problems: tuple[str, ...] = getattr(error, "problems", ())
        if problems:
            self._list(problems)
            self.table.hide()
            count = len(problems)
            self._end(f"The plan has {count} problem{'s' * (count != 1)}; nothing was done.")
        else:
            self._end(str(error) if isinstance(error, Sam2Error) else f"It went wrong: {error}")

    def _stopped(self) -> None:
        self._end("Stopped. What is done stays; Start goes on from there." if self._going else self.words)

    def _end(self, text: str) -> None:
        self.work.wait(1.0)
        self._clock.stop()
        self.table.stop()
        self._going = False
        self._say(text)
        self._refresh()

    def _tick(self) -> None:
        if self.work.stopping:
            return
        passed, share = time.monotonic() - self._began, self.table.share - self._share
        text = f"{self.table.finished} of {self.table.rowCount()} files, {self.table.failed} failed"
        if share > 0.01:
            text += f". {duration(passed / share * (1 - self.table.share))} left"
        self._say(f"{text}.")

    def _list(self, problems: Iterable[str]) -> None:
        for problem in problems:
            self._problems.appendPlainText(f"{' '.join(problem.split())}\n")
        self._problems.show()

    def _say(self, text: str) -> None:
        self._words.setText(text)
        self._words.setToolTip(text)

    # The session

    def _image_changed(self) -> None:
        source = getattr(self.bridge.image, "source", None)
        if source is not None and source.path:
            self.form.suggest(Path(source.path).absolute().parent)
        self._refresh()

    def _refresh(self) -> None:
        session = self.bridge.session
        none = why_not(session)
        if session is None or none:
            self.form.describe_session(none)
        else:
            self.form.describe_session(f"{told(session)}, of {self.bridge.status.image}")
        running = self.work.running
        why = "It is under way." if running else self.form.why_not(none)
        _enable(self._check, "List all that is wrong with the plan, and do nothing.", why)
        _enable(self._start, "Begin, or go on where it was stopped.", why)
        _enable(
            self._cancel,
            "Stop. What is done stays, and Start goes on from there.",
            "" if running else "Nothing is running.",
        )
        _enable(
            self._report,
            f"Open the report in a browser: {self._page}" if self._page else "Open the report in a browser.",
            "" if self._page else "It is written when all files are done.",
        )
        self.form.lock(why if running else "")


def _enable(button: QPushButton, tip: str, why: str) -> None:
    button.setEnabled(not why)
    button.setToolTip(f"{tip}\nNot now: {why}" if why else tip)
