"""The dock: everything that it takes from an image to labels, in one column."""

from __future__ import annotations

from typing import Any

import napari
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QFrame, QLabel, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from napari_sam2.plugin.attach import bridge_of
from napari_sam2.plugin.cleanup_panel import CleanupPanel
from napari_sam2.plugin.image_panel import ImagePanel
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.model_panel import ModelPanel
from napari_sam2.plugin.object_panel import ObjectPanel
from napari_sam2.plugin.output_panel import OutputPanel
from napari_sam2.plugin.prompt_panel import PromptPanel
from napari_sam2.plugin.review_panel import ReviewPanel
from napari_sam2.plugin.section import Section
from napari_sam2.plugin.status import Status
from napari_sam2.plugin.track_panel import TrackPanel


class SegmentDock(QWidget):
    """SAM 2.

    Parameters
    ----------
    napari_viewer
        The viewer that it is docked to.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.bridge = bridge_of(napari_viewer)
        bridge = self.bridge
        self.output_panel = OutputPanel(bridge)
        self._model = Section(
            "Model", ModelPanel(bridge), "Which network, and where it runs.", unfolded=False
        )
        column = QVBoxLayout()
        column.setContentsMargins(4, 0, 4, 0)
        column.setSpacing(4)
        for section in (
            Section(
                "Image", ImagePanel(bridge), "Which image, what its axes are, what the model sees of it."
            ),
            self._model,
            Section("Objects", ObjectPanel(bridge), "What is there, and how far it can be trusted."),
            Section("Prompt", PromptPanel(bridge), "How to say where an object is."),
            Section("Propagate", TrackPanel(bridge), "Follow objects through time or depth."),
            Section("Review", ReviewPanel(bridge), "Where to look, and where to correct."),
            Section(
                "Clean up",
                CleanupPanel(bridge),
                "Holes, pieces, edges; cut an object in two.",
                unfolded=False,
            ),
        ):
            column.addWidget(section, 1 if section.panel.__class__ is ObjectPanel else 0)
        inside = QWidget()
        inside.setLayout(column)
        scroll = QScrollArea()
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._restore = QPushButton("Restore the earlier session")
        self._restore.setToolTip("Take up the session of this image that was not closed properly.")
        self._restore.clicked.connect(lambda: bridge.restore())
        self._message = QLabel()
        self._message.setWordWrap(True)
        self._message.setToolTip("What happened last.")
        self._message.setMinimumHeight(self._message.fontMetrics().lineSpacing() * 2)
        self._message.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._message.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(2, 0, 2, 2)
        whole.setSpacing(3)
        whole.addWidget(scroll, 1)
        whole.addWidget(self._restore)
        whole.addWidget(self.output_panel)
        whole.addWidget(self._message)
        listen(self, bridge.events.status_changed, self._show)
        self._show(bridge.status)

    def event(self, event: Any) -> bool:
        """Let Ctrl+S save the session as long as the dock has the focus; napari's own saves a layer."""
        if event.type() in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress):
            control = event.modifiers() == Qt.KeyboardModifier.ControlModifier
            if control and event.key() == Qt.Key.Key_S:
                event.accept()
                if event.type() == QEvent.Type.KeyPress:
                    self.output_panel.save()
                return True
        return bool(super().event(event))

    def _show(self, status: Status) -> None:
        self._message.setText(status.message)
        self._model.summarise(f"{self.bridge.choices.model}, {status.model.value}")
        self._restore.setVisible(status.restorable)
