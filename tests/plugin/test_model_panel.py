"""The panel of the model: what is fetched, what is chosen, what is said. No model is loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from napari_sam2.errors import CheckpointError
from napari_sam2.plugin.status import Model, Status
from tests.plugin.stand_in import StandIn, application, rest, wait

TINY = "sam2.1_hiera_tiny"


class Server:
    """Stands in for the publisher: sends so many pieces, one at a time, once it may."""

    def __init__(self) -> None:
        self.may = threading.Semaphore(0)
        self.begun: list[str] = []
        self.told: list[int] = []
        self.error: Exception | None = None
        self.folder = Path()

    def __call__(self, name: str, progress: Callable[[int, int | None], None]) -> Path:
        self.begun.append(name)
        for piece in range(1, 11):
            assert self.may.acquire(timeout=20)
            if self.error is not None:
                raise self.error
            progress(piece * 10_000_000, 100_000_000)
            self.told.append(piece)
        file = self.folder / f"{name}.pt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"weights")
        return file

    def send(self, pieces: int) -> None:
        for _ in range(pieces):
            self.may.release()


class Desk:
    def __init__(self, folder: Path) -> None:
        from napari_sam2.plugin.model_panel import ModelPanel

        self.bridge, self.server = StandIn(), Server()
        self.bridge.set(model=Model.READY)
        self.server.folder = folder
        self.panel = ModelPanel(self.bridge, self.server)
        self.panel.show()

    def row(self, name: str) -> int:
        return next(i for i, row in enumerate(self.panel._rows) if row.name == name)

    def choose(self, name: str) -> None:
        """Choose a line of the list as a user does."""
        index = self.row(name)
        self.panel.models.setCurrentIndex(index)
        self.panel.models.activated.emit(index)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    application()
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path / "cache"))
    desk = Desk(tmp_path / "cache")
    yield desk
    desk.server.error = CheckpointError("The test is over.")
    desk.server.send(20)
    desk.panel.close()
    desk.panel.deleteLater()
    rest(0.05)


def test_the_built_in_model_comes_first(desk: Desk) -> None:
    assert desk.panel.models.itemText(0) == "nano – built in"
    assert desk.panel.models.currentIndex() == 0
    assert desk.panel.models.itemText(desk.panel.models.count() - 1) == "from file ..."
    wait(lambda: "on" in desk.panel.state)
    assert desk.panel.state.startswith("nano is ready on c")


def test_models_without_memory_are_off_and_say_why(desk: Desk) -> None:
    index = desk.row("sam_vit_b")
    assert not desk.panel.models.model().item(index).isEnabled()
    assert "no memory" in desk.panel.models.itemData(index, 3)


def test_devices_are_found_beside_the_window(desk: Desk) -> None:
    assert desk.panel.devices.itemText(0) == "automatic"
    wait(lambda: desk.panel.devices.findText("cpu") > 0)
    index = desk.panel.devices.findText("cpu")
    desk.panel.devices.activated.emit(index)
    assert desk.bridge.choices.device == "cpu"
    desk.panel.devices.activated.emit(0)
    assert desk.bridge.choices.device is None


def test_a_download_is_shown_and_its_model_chosen(desk: Desk) -> None:
    desk.choose(TINY)
    assert desk.panel.models.currentIndex() == 0, "what works now stays chosen"
    assert "Fetching SAM 2.1 tiny" in desk.panel.state
    assert desk.panel._bar.isVisible()
    rest(0.15)
    desk.server.send(4)
    wait(lambda: desk.server.told == [1, 2, 3, 4])
    wait(lambda: "of 100 MB" in desk.panel._bar.text())
    assert desk.bridge.choices.model == "nano"
    desk.server.send(6)
    wait(lambda: desk.bridge.choices.model == TINY)
    assert not desk.panel._bar.isVisible()
    assert desk.panel.models.currentText() == "SAM 2.1 tiny – on disk"
    desk.choose("nano")
    desk.choose(TINY)
    assert desk.bridge.choices.model == TINY
    assert desk.server.begun == [TINY]


def test_a_download_is_stopped(desk: Desk) -> None:
    desk.choose(TINY)
    desk.server.send(2)
    wait(lambda: desk.server.told == [1, 2])
    desk.panel._cancel.click()
    assert "Stopped" in desk.panel.state
    assert not desk.panel._bar.isVisible()
    desk.server.send(1)
    rest(0.3)
    assert desk.server.told == [1, 2]
    assert desk.bridge.choices.model == "nano"
    desk.choose(TINY)
    desk.server.send(10)
    wait(lambda: desk.bridge.choices.model == TINY)
    assert desk.server.begun == [TINY, TINY]


def test_another_model_stops_the_download(desk: Desk) -> None:
    desk.choose(TINY)
    wait(lambda: desk.server.begun == [TINY])
    desk.choose("sam2.1_hiera_small")
    desk.server.send(11)
    wait(lambda: desk.bridge.choices.model == "sam2.1_hiera_small")
    assert desk.server.begun == [TINY, "sam2.1_hiera_small"]


def test_offline_the_sentence_is_shown(desk: Desk) -> None:
    desk.server.error = CheckpointError("'tiny' is not on this machine. Offline, put the file there by hand.")
    desk.choose(TINY)
    desk.server.send(1)
    wait(lambda: "by hand" in desk.panel.state)
    assert not desk.panel._bar.isVisible()
    assert desk.bridge.choices.model == "nano"
    desk.bridge.events.status_changed.emit(Status(model=Model.READY, frame=3))
    assert "by hand" in desk.panel.state, "the sentence stays until something else is chosen"
    desk.choose("nano")
    assert "ready" in desk.panel.state


def test_an_own_file_joins_the_list(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    desk.panel.choose(str(file))
    assert desk.bridge.choices.model == str(file)
    assert desk.panel.models.currentText() == "mine.safetensors – own file"


def test_a_model_that_was_chosen_elsewhere_is_shown(desk: Desk, tmp_path: Path) -> None:
    file = str(tmp_path / "tuned.safetensors")
    desk.bridge.choose(model=file)
    desk.bridge.events.status_changed.emit(Status(model=Model.LOADING))
    assert desk.panel.models.currentText() == "tuned.safetensors – own file"
    assert "tuned.safetensors is being loaded" in desk.panel.state


def test_failure_is_said(desk: Desk) -> None:
    desk.bridge.events.status_changed.emit(Status(model=Model.FAILED, message="No such file."))
    assert desk.panel.state == "Not ready: No such file."
