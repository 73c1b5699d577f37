"""What a batch is to do, as a form: which files, what is said of them, where results go, who works."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_sam2.io.export_kind import ExportKind
from napari_sam2.plugin.batch_order import Filled, Said
from napari_sam2.plugin.path_row import PathRow, Wanted
from napari_sam2.plugin.section import Section

PLAN_FILES = "Plans and tables (*.json *.csv)"
TABLES = "Tables of prompts (*.csv)"
NO_DASK = "Dask is not installed: pip install 'napari-sam2[batch]'."


_SAID = {
    Said.SESSION: "What is prompted in the chosen image goes to each file: for images of the same places.",
    Said.LABELS: "Labels that another tool found on one frame: each becomes an object.",
    Said.TABLE: "A table (.csv) of clicks, boxes and label images, by file.",
    Said.FILE: "A plan or a table says itself what to follow: choose one above.",
}
_WAYS = {
    None: ("as usual", "As the session or the plan says, else forward."),
    "forward": ("forward", "From each prompt to the end."),
    "backward": ("backward", "From each prompt to the beginning."),
    "both": ("both ways", "From each prompt to the end and to the beginning."),
}


class BatchForm(QWidget):
    """The form."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._tips: dict[QWidget, str] = {}
        self._form = QFormLayout()
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._form)
        self._build_said()
        self._build_results()
        self._build_workers()
        self._build_more(column)
        self._arrange()

    def _build_said(self) -> None:
        self.path = PathRow("A folder of images, a table of prompts (.csv), or a plan (.json).", "a folder")
        self.path.offer("A folder of images ...", Wanted.FOLDER)
        self.path.offer("A table or a plan ...", Wanted.FILE, PLAN_FILES)
        self.path.changed.connect(self._arrange)
        self._form.addRow("files", self.path)
        self.said = QComboBox()
        for said, tip in _SAID.items():
            self.said.addItem(said.value, said)
            self.said.setItemData(self.said.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.said.currentIndexChanged.connect(self._arrange)
        self._form.addRow("apply", self.said)
        self._session = QLabel()
        self._session.setWordWrap(True)
        self._session.setToolTip(
            "Prompts, names, divisions, model and directions; hidden objects are left out."
        )
        self._form.addRow("", self._session)
        rows = QVBoxLayout()
        self.labels = QLineEdit("labels/{stem}.tif")
        self.labels.setToolTip(
            "The label image of each file, named from the folder.\n"
            "{stem}, {name} and {folder} stand for parts of the file's name."
        )
        self.labels.textEdited.connect(self.changed)
        self.frame = QSpinBox()
        self.frame.setRange(0, 1_000_000)
        self.frame.setPrefix("of frame ")
        self.frame.setToolTip("The frame that the labels belong to.")
        self.frame.valueChanged.connect(self.changed)
        rows.addWidget(self.labels)
        rows.addWidget(self.frame)
        self._labels = QWidget()
        rows.setContentsMargins(0, 0, 0, 0)
        self._labels.setLayout(rows)
        self._form.addRow("", self._labels)
        self.table = PathRow("The table (.csv): image, object, frame, y, x, ...", "prompts.csv")
        self.table.offer("A table of prompts ...", Wanted.FILE, TABLES)
        self.table.changed.connect(self.changed)
        self._form.addRow("", self.table)

    def _build_results(self) -> None:
        self.out = PathRow(
            "The folder of the results and the report; 'napari-sam2-batch' beside the files if empty.",
            "napari-sam2-batch, beside them",
        )
        self.out.offer("A folder for the results ...", Wanted.FOLDER)
        self.out.changed.connect(self.changed)
        self._form.addRow("into", self.out)
        self.kind = QComboBox()
        self.kind.addItem("as usual", None)
        self.kind.setItemData(0, "As the plan says, else label images, TIFF.", Qt.ItemDataRole.ToolTipRole)
        for kind in ExportKind:
            self.kind.addItem(kind.value, kind)
            self.kind.setItemData(self.kind.count() - 1, kind.describes, Qt.ItemDataRole.ToolTipRole)
        self.kind.setToolTip("The format of the results.")
        self.kind.currentIndexChanged.connect(self.changed)
        self._form.addRow("as", self.kind)

    def _build_workers(self) -> None:
        dask = find_spec("distributed") is not None
        self.where = QComboBox()
        self.where.addItem("this computer", False)
        self.where.addItem("a Dask cluster", True)
        tip = "Where the work is done: here, or by the workers of a Dask scheduler."
        self.where.setToolTip(tip if dask else f"{tip}\nNot now: {NO_DASK}")
        self.where.setEnabled(dask)
        self.where.currentIndexChanged.connect(self._arrange)
        self.workers = QSpinBox()
        self.workers.setRange(1, max(1, os.cpu_count() or 1))
        self.workers.setSuffix(" process")
        tip = "How many files are worked on at a time; processes share cores and memory, and the GPUs."
        self.workers.setToolTip(tip if dask else f"{tip}\nNot now: {NO_DASK}")
        self.workers.setEnabled(dask)
        self.workers.valueChanged.connect(
            lambda count: self.workers.setSuffix(" process" if count == 1 else " processes")
        )
        self._form.addRow("on", self.where)
        self._form.addRow("with", self.workers)
        self.scheduler = QLineEdit()
        self.scheduler.setPlaceholderText("tcp://host:8786")
        self.scheduler.setToolTip("The address of the scheduler. Files have the same names for its workers.")
        self.scheduler.textEdited.connect(self.changed)
        self._form.addRow("at", self.scheduler)

    def _build_more(self, column: QVBoxLayout) -> None:
        inside = QWidget()
        form = QFormLayout(inside)
        form.setContentsMargins(0, 0, 0, 0)
        self.images = QLineEdit()
        self.images.setPlaceholderText("all images")
        self.images.setToolTip("Which files of the folder: '*.tif', '**/*.zarr'.")
        self.images.textEdited.connect(self.changed)
        form.addRow("only", self.images)
        self.way = QComboBox()
        for way, (text, tip) in _WAYS.items():
            self.way.addItem(text, way)
            self.way.setItemData(self.way.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.way.setToolTip("Where objects are followed to from their prompts.")
        self.way.currentIndexChanged.connect(self.changed)
        form.addRow("follow", self.way)
        self.slices = QCheckBox("frames are slices of a stack")
        self.slices.setToolTip("Bodies hang together and end, which is not so in time.")
        self.slices.toggled.connect(self.changed)
        form.addRow("", self.slices)
        self.overwrite = QCheckBox("overwrite")
        self.overwrite.setToolTip(
            "Replace outputs that this batch did not make (--overwrite).\n"
            "Those that it made itself are taken up again anyway."
        )
        self.overwrite.toggled.connect(self.changed)
        form.addRow("", self.overwrite)
        column.addWidget(Section("More", inside, "What is seldom needed.", unfolded=False))

    # What it says

    def describe_session(self, text: str) -> None:
        """Say which session it is, or why there is none."""
        self._session.setText(text)

    def suggest(self, folder: Path) -> None:
        """Fill in a folder, where nothing is said yet."""
        if not self.path.text:
            self.path.set(folder)

    def lock(self, why: str) -> None:
        """Let nothing be changed, and say why on every part of it; an empty reason lets go."""
        if bool(why) == bool(self._tips):
            return
        self.setEnabled(not why)
        if why:
            self._tips = {one: one.toolTip() for one in self.findChildren(QWidget) if one.toolTip()}
        for widget, tip in self._tips.items():
            widget.setToolTip(f"{tip}\nNot now: {why}" if why else tip)
        if not why:
            self._tips = {}

    @property
    def chosen(self) -> Said:
        """What says what to follow."""
        found: Said = self.said.currentData()
        return found

    def why_not(self, session: str) -> str:
        """Return why it is not filled in; empty if it is.

        Parameters
        ----------
        session
            Why the session cannot be applied; empty if it can.
        """
        if not self.path.text:
            return "Choose a folder of images, a table or a plan first."
        if self.chosen is Said.SESSION and session:
            return session
        if self.chosen is Said.LABELS and not self.labels.text().strip():
            return "Say how the label images are called, as in labels/{stem}.tif."
        if self.chosen is Said.TABLE and not self.table.text:
            return "Choose the table of prompts."
        if self.where.currentData() and not self.scheduler.text().strip():
            return "Give the address of the Dask scheduler."
        return ""

    def filled(self) -> Filled:
        """Return all that it says."""
        kind: ExportKind | None = self.kind.currentData()
        cluster = bool(self.where.currentData())
        wishes: dict[str, Any] = {
            "images": None if self._is_file else self.images.text().strip() or None,
            "out": str(self.out.path.absolute()) if self.out.text else None,
            "kind": None if kind is None else kind.value,
            "way": self.way.currentData(),
            "slices": self.slices.isChecked() or None,
        }
        if self.chosen is Said.LABELS:
            wishes |= {"labels": self.labels.text().strip(), "frame": self.frame.value()}
        elif self.chosen is Said.TABLE:
            wishes["prompts"] = str(self.table.path.absolute())
        return Filled(
            self.path.path,
            self.chosen,
            wishes,
            1 if cluster else self.workers.value(),
            self.scheduler.text().strip() if cluster else None,
            self.overwrite.isChecked(),
        )

    @property
    def _is_file(self) -> bool:
        return self.path.path.suffix.lower() in (".csv", ".json")

    def _arrange(self) -> None:
        """Show what belongs to the choices."""
        file = self._is_file
        own = self.said.findData(Said.FILE)
        if file != (self.said.currentIndex() == own):
            self.said.setCurrentIndex(own if file else 0)
            return  # it comes here again
        self.said.setEnabled(not file)
        self.said.setToolTip(
            "What says what to follow."
            + (f"\nNot now: {self.path.path.name} says so itself." if file else "")
        )
        self.images.setEnabled(not file)
        for row, shown in (
            (self._session, self.chosen is Said.SESSION),
            (self._labels, self.chosen is Said.LABELS),
            (self.table, self.chosen is Said.TABLE),
        ):
            self._form.setRowVisible(row, shown)
        cluster = bool(self.where.currentData())
        self._form.setRowVisible(self.workers, not cluster)
        self._form.setRowVisible(self.scheduler, cluster)
        self.changed.emit()
