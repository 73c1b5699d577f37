"""Saving, opening, exporting, and the session as a script."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QApplication, QFileDialog, QGridLayout, QWidget

from napari_sam2.io.export_kind import ExportKind
from napari_sam2.plugin.bridge import Bridge
from napari_sam2.plugin.control_set import ControlSet
from napari_sam2.plugin.controls import Control
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.status import Status

SESSION_FILES = "Session (*.sam2.json *.json)"
# What the dialog offers; a folder may be called anything.
FILTERS = {
    kind: f"{kind.describes[0].upper()}{kind.describes[1:].replace('(', '').replace(')', '')} "
    f"({' '.join(f'*{end}' for end in kind.suffixes) or '*'})"
    for kind in ExportKind
}
EFFORT = "Effort: clicks, seconds and frames of each object (*.csv)"


class OutputPanel(QWidget):
    """Save, open, export, copy as script.

    Parameters
    ----------
    bridge
        Asked for all of it.
    """

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._controls = ControlSet(bridge.status)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        entries = (
            (
                Control.SAVE,
                "Save",
                "Save the session: prompts, masks, how they came about (Ctrl+S here).",
                self.save,
            ),
            (Control.OPEN, "Open", "Open a session of this image.", self.open),
            (Control.EXPORT, "Export", "Write labels or tables that other programs read.", self.export),
            (
                Control.SCRIPT,
                "Copy script",
                "Copy Python that does what you did, without a window.",
                self.copy,
            ),
        )
        for place, (control, text, tip, pressed) in enumerate(entries):
            grid.addWidget(self._controls.button(control, text, tip, pressed), 0, place)
            grid.setColumnStretch(place, 1)
        listen(self, bridge.events.status_changed, self._show)

    def save(self) -> None:
        """Ask where, and save; the dialog asks before it lets a file be replaced."""
        name, _ = QFileDialog.getSaveFileName(
            self, "Save the session", self._suggested(".sam2.json"), SESSION_FILES
        )
        if name:
            self._bridge.save(Path(name), overwrite=True)

    def open(self) -> None:
        """Ask which session, and take it up."""
        name, _ = QFileDialog.getOpenFileName(self, "Open a session", "", SESSION_FILES)
        if name:
            self._bridge.open_session(Path(name))

    def export(self) -> None:
        """Ask where and as what, and write it."""
        name, chosen = QFileDialog.getSaveFileName(
            self, "Export", self._suggested(".tif"), ";;".join([*FILTERS.values(), EFFORT])
        )
        if name:
            if chosen == EFFORT:
                self._bridge.export_effort(Path(name), overwrite=True)
                return
            path, kind = named(Path(name), chosen)
            self._bridge.export(path, kind, overwrite=True)

    def copy(self) -> None:
        """Put the script onto the clipboard."""
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self._bridge.script())
            self._bridge.say("The script is on the clipboard.")

    def _suggested(self, ending: str) -> str:
        name = self._bridge.status.image or "session"
        return "".join(one if one.isalnum() or one in "-_ " else "_" for one in name) + ending

    def _show(self, status: Status) -> None:
        self._controls.show(status)


def named(path: Path, chosen: str) -> tuple[Path, ExportKind | None]:
    """Return where to write and in which format.

    Parameters
    ----------
    path
        What the user typed; without an ending it gets that of the format.
    chosen
        The entry of `FILTERS` that was selected.
    """
    kind = next((kind for kind, text in FILTERS.items() if text == chosen), None)
    if kind is None:
        return path, None
    if not path.suffix and kind.suffixes:
        path = path.with_name(path.name + kind.suffixes[0])
    return path, kind
