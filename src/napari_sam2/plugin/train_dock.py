"""Fine-tune: a model learns from the frames that were corrected here."""

from __future__ import annotations

from pathlib import Path

import napari
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_sam2.errors import Sam2Error
from napari_sam2.io.registry import cache_folder
from napari_sam2.plugin.attach import bridge_of
from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.lessons import (
    Course,
    Lesson,
    Moment,
    corrected_frames,
    learn,
    material,
    verdict,
    why_not,
)
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.model_rows import title
from napari_sam2.plugin.shot_grid import ShotGrid
from napari_sam2.plugin.teaching import Teaching
from napari_sam2.plugin.track_panel import duration

_PARTS = {
    "decoder": ("the mask decoder", "Quick, and forgets little. The usual choice."),
    "all": ("everything", "Slower; learns more where images look unlike those the model knows."),
}


class TrainDock(QWidget):
    """Fine-tune.

    Parameters
    ----------
    napari_viewer
        The viewer that it is docked to.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.bridge: Bridge = bridge_of(napari_viewer)
        self._lesson: Lesson | None = None
        self._named = False
        self.teaching = Teaching(self)
        self.teaching.progressed.connect(self._progressed)
        self.teaching.done.connect(self._done)
        self.teaching.failed.connect(self._failed)
        self.teaching.stopped.connect(self._stopped)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._build()
        scroll = QScrollArea()
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)
        listen(self, self.bridge.events.objects_changed, self._refresh)
        listen(self, self.bridge.events.image_changed, self._refresh)
        self._refresh()

    def _build(self) -> None:
        self._counts = QLabel()
        self._counts.setWordWrap(True)
        self._counts.setMinimumHeight(3 * self._counts.fontMetrics().lineSpacing())
        self._counts.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._counts.setToolTip(
            "Frames on which you clicked, drew or painted. Their labels are what is learned."
        )
        self._column.addWidget(self._counts)
        form = QFormLayout()
        self._from = QLabel()
        self._from.setToolTip("The model of the SAM 2 window: it stays as it is, a copy learns.")
        form.addRow("from", self._from)
        self._parts = QComboBox()
        for key, (text, tip) in _PARTS.items():
            self._parts.addItem(text, key)
            self._parts.setItemData(self._parts.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self._parts.setToolTip("What learns: the mask decoder is quick and forgets little.")
        form.addRow("learns", self._parts)
        self._minutes = QDoubleSpinBox()
        self._minutes.setRange(0.1, 600)
        self._minutes.setValue(5)
        self._minutes.setDecimals(1)
        self._minutes.setSuffix(" min")
        self._minutes.setToolTip("How long it learns. Looking at the held-back frames comes on top.")
        form.addRow("for", self._minutes)
        row = QHBoxLayout()
        self._file = QLineEdit()
        self._file.setToolTip("Where the new model is written (.safetensors).")
        self._file.textEdited.connect(self._name_edited)
        browse = QPushButton("...")
        browse.setAutoDefault(False)
        browse.setFixedWidth(32)
        browse.setToolTip("Choose where the new model is written.")
        browse.clicked.connect(self._browse)
        row.addWidget(self._file, 1)
        row.addWidget(browse)
        form.addRow("into", row)
        self._column.addLayout(form)
        buttons = QHBoxLayout()
        self._start, self._cancel, self._use = (
            QPushButton("Learn"),
            QPushButton("Cancel"),
            QPushButton("Use this model"),
        )
        for button, pressed in (
            (self._start, self.start),
            (self._cancel, self.cancel),
            (self._use, self.use),
        ):
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, pressed=pressed: pressed())
            buttons.addWidget(button, 1)
        self._column.addLayout(buttons)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1)
        self._bar.setToolTip("How far the training is.")
        self._column.addWidget(self._bar)
        self._words = QLabel()
        self._words.setWordWrap(True)
        self._words.setMinimumHeight(3 * self._words.fontMetrics().lineSpacing())
        self._words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._column.addWidget(self._words)
        self._shots = ShotGrid()
        self._column.addWidget(self._shots)
        self._column.addStretch(1)

    @property
    def words(self) -> str:
        """What is said below the bar."""
        return str(self._words.text())

    @property
    def lesson(self) -> Lesson | None:
        """What the last training led to."""
        return self._lesson

    # What the user says

    def start(self, steps: int | None = None) -> None:
        """Begin to learn.

        Parameters
        ----------
        steps
            Instead of the minutes of the form.
        """
        session = self.bridge.session
        if session is None or why_not(session) or self.teaching.running:
            return
        path, word = Path(self._file.text()).expanduser(), self.bridge.status.word
        if path.suffix != ".safetensors":
            path = path.with_name(f"{path.name}.safetensors")
            self._file.setText(str(path))
        choices, name = self.bridge.choices, self.bridge.status.image
        counted = ", ".join(str(frame) for frame in corrected_frames(session))
        course = Course(
            choices.model,
            choices.device,
            self._parts.currentData(),
            self._minutes.value(),
            path,
            f"{choices.model}, {word}s {counted} of {name}",
            steps,
        )
        self._lesson = None
        self._shots.show_shots(())
        self.teaching.start(lambda tell: learn(course, material(session, word), tell))
        self._refresh()

    def cancel(self) -> None:
        """Stop learning; nothing is written."""
        self.teaching.cancel()
        self._say("Stopping after this step ...")

    def use(self) -> None:
        """Segment with the new model; what was done so far is done again with it."""
        if self._lesson is not None:
            self.bridge.choose(model=str(self._lesson.path))
            self._refresh()

    def _browse(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "The new model", self._file.text(), "Weights (*.safetensors)"
        )
        if name:
            self._file.setText(name)
            self._named = True
            self._refresh()

    def _name_edited(self) -> None:
        self._named = True
        self._refresh()

    # What happens

    def _progressed(self, moment: Moment) -> None:
        self._bar.setRange(0, moment.steps)
        self._bar.setValue(moment.step)
        self._bar.setFormat("%p%" if moment.steps else "")
        left = "" if moment.seconds_left is None else f" {duration(moment.seconds_left)} left."
        steps = f": step {moment.step} of {moment.steps}." if moment.steps else ""
        self._say(f"{moment.text}{steps}{left}")
        self._refresh()

    def _done(self, lesson: Lesson) -> None:
        self.teaching.wait(1.0)
        self._lesson = lesson
        self._end(verdict(lesson))
        self._shots.show_shots(lesson.shots)

    def _failed(self, error: Exception) -> None:
        self.teaching.wait(1.0)
        self._end(str(error) if isinstance(error, Sam2Error) else f"It went wrong: {error}")

    def _stopped(self) -> None:
        self.teaching.wait(1.0)
        self._end("Stopped. Nothing was written.")

    def _end(self, text: str) -> None:
        self._bar.setRange(0, 1)
        self._bar.setValue(0)
        self._bar.setFormat("")
        self._say(text)
        self._refresh()

    def _say(self, text: str) -> None:
        self._words.setText(text)
        self._words.setToolTip(text)

    def _refresh(self) -> None:
        session, running = self.bridge.session, self.teaching.running
        why = why_not(session)
        word = self.bridge.status.word
        if session is None or why:
            self._counts.setText(why)
        else:
            count = len(corrected_frames(session))
            self._counts.setText(
                f"{count} corrected {word}s. About a quarter of them is held back, to see whether it helped."
            )
        self._from.setText(title(self.bridge.choices.model))
        if not self._named:
            self._file.setText(
                str(cache_folder() / "tuned" / f"{_plain(self.bridge.status.image)}.safetensors")
            )
        _enable(
            self._start, "Learn from the corrected frames.", "It is learning already." if running else why
        )
        _enable(self._cancel, "Stop; nothing is written.", "" if running else "Nothing is running.")
        unused = self._lesson is None or str(self._lesson.path) == self.bridge.choices.model
        _enable(
            self._use,
            "Segment with the new model. What was done so far is done again with it.",
            ("There is no new model yet." if self._lesson is None else "It is in use.") if unused else "",
        )
        for widget in (self._parts, self._minutes, self._file):
            widget.setEnabled(not running)


def _enable(button: QPushButton, tip: str, why: str) -> None:
    button.setEnabled(not why)
    button.setToolTip(f"{tip}\nNot now: {why}" if why else tip)


def _plain(name: str | None) -> str:
    """Return a name that any file system takes."""
    return "".join(one if one.isalnum() or one in "-_" else "_" for one in name or "model")
