"""Which model segments, where it runs, and how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_sam2.io import registry
from napari_sam2.plugin.fetching import Fetch, Fetching
from napari_sam2.plugin.listening import listen
from napari_sam2.plugin.model_rows import ModelRow, model_rows, progress_words, state_words, title
from napari_sam2.plugin.newest_call import NewestCall
from napari_sam2.plugin.status import Status
from napari_sam2.session.devices import Device, devices

if TYPE_CHECKING:
    from napari_sam2.plugin.bridge import Bridge

_FROM_FILE = "from file ..."
_AUTOMATIC = "automatic"
_FILES = "Weights (*.safetensors *.pt *.pth)"


class ModelPanel(QWidget):
    """Model, device, state; a model that is not here is downloaded with progress.

    Parameters
    ----------
    bridge
        Told what was chosen.
    fetch
        Gets a checkpoint onto the disk.
    """

    def __init__(self, bridge: Bridge, fetch: Fetch = registry.fetch) -> None:
        super().__init__()
        self._bridge = bridge
        self._rows: tuple[ModelRow, ...] = ()
        self._own: list[str] = []
        self._devices: tuple[Device, ...] = ()
        self._trouble = ""
        self._shown = ""
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 2)
        self.models = QComboBox()
        self.models.setMinimumContentsLength(12)
        self.models.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.models.activated.connect(self._model_chosen)
        self.devices = QComboBox()
        self.devices.setMinimumContentsLength(6)
        self.devices.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.devices.activated.connect(self._device_chosen)
        grid.addWidget(self.models, 0, 0)
        grid.addWidget(self.devices, 0, 1)
        self._state = QLabel()
        self._state.setWordWrap(True)
        self._state.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._state.setMinimumHeight(2 * self._state.fontMetrics().lineSpacing() + 2)
        self._state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        grid.addWidget(self._state, 1, 0, 1, 2)
        self._bar = QProgressBar()
        self._cancel = QPushButton("Cancel")
        self._cancel.setAutoDefault(False)
        self._cancel.clicked.connect(self.cancel)
        grid.addWidget(self._bar, 2, 0)
        grid.addWidget(self._cancel, 2, 1)
        # Room for the download is kept while there is none, so that nothing moves.
        for widget in (self._bar, self._cancel):
            policy = widget.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            widget.setSizePolicy(policy)
        self._fetching = Fetching(fetch, self)
        self._fetching.progressed.connect(self._progressed)
        self._fetching.done.connect(self._fetched)
        self._fetching.failed.connect(self._failed)
        self._show_download(False)
        self._list_models()
        self._list_devices()
        self._asking = NewestCall(self._found_devices, self._no_devices, parent=self)
        self._asking.ask(devices)
        listen(self, bridge.events.status_changed, self._status_changed)
        self._status_changed(bridge.status)

    @property
    def state(self) -> str:
        """What the line below says."""
        return str(self._state.text())

    # What the user says

    def _model_chosen(self, index: int) -> None:
        if index == len(self._rows):
            self.choose_file()
        elif 0 <= index < len(self._rows):
            self.choose(self._rows[index].name)

    def choose(self, name: str) -> None:
        """Segment with another model; one that is not on the disk is fetched before."""
        row = next((row for row in self._rows if row.name == name), None)
        self._trouble = ""
        self._fetching.cancel()
        self._show_download(False)
        if row is not None and not row.ready:
            self._show_download(True)
            self._fetching.start(name)
            self._say(f"Fetching {title(name)} ... {self._now()} goes on working meanwhile.")
        elif name != self._bridge.choices.model:
            self._bridge.choose(model=name)
        self._list_models()
        self._status_changed(self._bridge.status)

    def choose_file(self) -> None:
        """Ask for a file of weights, and segment with it."""
        name, _ = QFileDialog.getOpenFileName(self, "Weights of a model", "", _FILES)
        if name:
            self.choose(str(Path(name)))
        else:
            self._list_models()

    def cancel(self) -> None:
        """Stop the download; what came is kept."""
        self._fetching.cancel()
        self._show_download(False)
        self._trouble = "Stopped. What came is kept: choose the model again to go on from there."
        self._list_models()
        self._status_changed(self._bridge.status)

    def _device_chosen(self, index: int) -> None:
        chosen = self.devices.itemData(index)
        if chosen != self._bridge.choices.device:
            self._bridge.choose(device=chosen)

    # What is there

    def _list_models(self) -> None:
        chosen = self._shown = self._bridge.choices.model
        if chosen not in registry.model_names() and chosen not in self._own:
            self._own.append(chosen)
        self._rows = model_rows(registry.model_names(), registry.cached(), self._own)
        self.models.clear()
        for index, row in enumerate(self._rows):
            self.models.addItem(row.text)
            self.models.setItemData(index, row.tip, Qt.ItemDataRole.ToolTipRole)
            if row.why_not:
                item = self.models.model().item(index)
                item.setEnabled(False)
            if row.name == chosen:
                self.models.setCurrentIndex(index)
                self.models.setToolTip(f"The model that segments.\n{row.tip}")
        self.models.addItem(_FROM_FILE)
        tip = "A .safetensors or .pt file: a fine-tune of yours, or a checkpoint that you have already."
        self.models.setItemData(len(self._rows), tip, Qt.ItemDataRole.ToolTipRole)

    def _list_devices(self) -> None:
        chosen = self._bridge.choices.device
        self.devices.clear()
        self.devices.addItem(_AUTOMATIC, None)
        for device in self._devices:
            self.devices.addItem(device.name, device.name)
            tip = f"Compute on {device.text}."
            self.devices.setItemData(self.devices.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        if chosen is not None and chosen not in [device.name for device in self._devices]:
            self.devices.addItem(chosen, chosen)
        self.devices.setCurrentIndex(max(0, self.devices.findData(chosen)))
        first = self._devices[0].text if self._devices else "the best there is"
        self.devices.setToolTip(f"Where the model runs. Automatic: {first}.")

    def _found_devices(self, found: tuple[Device, ...]) -> None:
        self._devices = found
        self._list_devices()
        self._status_changed(self._bridge.status)

    def _no_devices(self, error: Exception) -> None:
        self._say(f"PyTorch cannot be used ({error}): install it again, as on pytorch.org.")

    # What happens

    def _progressed(self, there: int, total: int | None) -> None:
        self._bar.setRange(0, 1000 if total else 0)
        self._bar.setValue(int(1000 * there / total) if total else 0)
        self._bar.setFormat(progress_words(there, total))

    def _fetched(self, name: str) -> None:
        self._show_download(False)
        self._bridge.choose(model=name)
        self._list_models()
        self._status_changed(self._bridge.status)

    def _failed(self, error: Exception) -> None:
        self._show_download(False)
        self._trouble = str(error)
        self._list_models()
        self._status_changed(self._bridge.status)

    def _show_download(self, there: bool) -> None:
        self._bar.setVisible(there)
        self._cancel.setVisible(there)
        if there:
            self._bar.setRange(0, 0)
            self._bar.setFormat("")
            self._bar.setToolTip("How much of the model has come.")
            self._cancel.setToolTip("Stop the download. What came is kept, and goes on from there next time.")

    def _now(self) -> str:
        return title(self._bridge.choices.model)

    def _status_changed(self, status: Status) -> None:
        if self._shown != self._bridge.choices.model:
            self._list_models()
        if self._fetching.running:
            return
        if self._trouble:
            self._say(self._trouble)
            return
        self._say(state_words(self._now(), status, self._bridge.choices.device, self._devices))

    def _say(self, text: str) -> None:
        if text != self._state.text():
            self._state.setText(text)
            self._state.setToolTip(text)
