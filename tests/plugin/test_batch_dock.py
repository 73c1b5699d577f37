"""The Batch dock, from the form to the labels; how a batch works is tested elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_sam2.batch.outcome import Note, Outcome, Status
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.io.checkpoints import save_model
from napari_sam2.model.sam2 import SAM2
from tests.cli.conftest import TINY
from tests.conftest import seed_weights
from tests.plugin.stand_in import StandIn, application, rest, wait

COUNT, FRAMES = 3, 4


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = SAM2(TINY).eval().requires_grad_(False)
    seed_weights(network, 5)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(network, path)
    return path


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Some movies, and labels of their first frames."""
    folder = tmp_path / "plate"
    (folder / "first").mkdir(parents=True)
    for number in range(COUNT):
        scene = moving_nuclei(FRAMES, 64, 72, objects=2, divisions=0, radius=7.0, seed=number)
        tifffile.imwrite(
            folder / f"well{number}.tif", scene.images, photometric="minisblack", metadata={"axes": "TYX"}
        )
        tifffile.imwrite(folder / "first" / f"well{number}.tif", scene.labels[0])
    return folder


class Desk:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
        from napari.components import ViewerModel
        from qtpy.QtGui import QDesktopServices

        from napari_sam2.plugin import batch_dock

        self.viewer = ViewerModel()
        self.bridge = StandIn(self.viewer)
        self.bridge.choose(model=str(weights))
        self.shown: list[str] = []
        monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: self.shown.append(url.toLocalFile()))
        monkeypatch.setattr(batch_dock, "bridge_of", lambda _: self.bridge)
        self.dock = batch_dock.BatchDock(self.viewer)
        self.dock.show()

    def apply(self, name: str) -> None:
        said = self.dock.form.said
        said.setCurrentIndex(next(i for i in range(said.count()) if said.itemData(i).name == name))

    def labels(self, plate: Path, pattern: str = "first/{stem}.tif") -> None:
        self.dock.form.path.set(plate)
        self.apply("LABELS")
        self.dock.form.labels.setText(pattern)

    def open(self, plate: Path, *frames: int) -> None:
        """Choose the first movie, and paint object 1 on frames of it."""
        images, labels = tifffile.imread(plate / "well0.tif"), tifffile.imread(plate / "first" / "well0.tif")
        self.bridge.choose_image(self.viewer.add_image(images, name="well0"))
        assert self.bridge.session is not None
        for frame in frames:
            self.bridge.session.prompt(frame, 1, mask=labels == 1)
        self.bridge.events.objects_changed.emit()

    def until_the_end(self) -> None:
        wait(lambda: not self.dock.work.running, 120)
        rest(0.05)


@pytest.fixture(scope="module")
def window_system() -> Any:
    return application()  # it ends when nobody holds it


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: Path, window_system: Any
) -> Iterator[Desk]:
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path / "cache"))
    desk = Desk(monkeypatch, weights)
    first = desk.dock
    yield desk
    first.work.stop()
    assert first.work.wait(60)
    first.close()
    first.deleteLater()
    rest(0.05)


def test_what_cannot_be_done_says_why(desk: Desk, plate: Path) -> None:
    dock = desk.dock
    assert "Choose a folder" in dock._start.toolTip()
    assert "Nothing is running" in dock._cancel.toolTip()
    assert "when all files are done" in dock._report.toolTip()
    dock.form.path.set(plate)
    assert "Open an image" in dock._start.toolTip()
    desk.open(plate)
    assert "Nothing is prompted" in dock._start.toolTip()
    desk.apply("TABLE")
    assert "Choose the table" in dock._start.toolTip()
    desk.labels(plate, "")
    dock.form.labels.textEdited.emit("")
    assert "how the label images are called" in dock._start.toolTip()
    assert not dock._start.isEnabled()
    desk.labels(plate)
    dock.form.labels.textEdited.emit("")
    assert dock._start.isEnabled()


def test_a_cluster_needs_an_address(desk: Desk, plate: Path) -> None:
    pytest.importorskip("distributed", reason="Dask's scheduler is not installed")
    desk.labels(plate)
    form = desk.dock.form
    form.where.setCurrentIndex(1)
    assert "address" in desk.dock._start.toolTip()
    assert not form.workers.isVisible()
    form.scheduler.setText("tcp://somewhere:8786")
    form.scheduler.textEdited.emit("")
    assert desk.dock._start.isEnabled()
    assert form.filled().scheduler == "tcp://somewhere:8786"


def test_without_dask_it_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_sam2.plugin import batch_form

    monkeypatch.setattr(batch_form, "find_spec", lambda _: None)
    form = batch_form.BatchForm()
    for widget in (form.where, form.workers):
        assert not widget.isEnabled()
        assert "pip install" in widget.toolTip()


def test_a_file_says_itself_what_to_follow(desk: Desk, plate: Path) -> None:
    form = desk.dock.form
    form.path.set(plate / "plan.json")
    assert form.chosen.name == "FILE"
    assert "plan.json says so itself" in form.said.toolTip()
    assert not form.said.isEnabled()
    form.path.set(plate)
    assert form.chosen.name == "SESSION"
    assert form.said.isEnabled()
    desk.apply("FILE")  # a folder says nothing
    assert form.chosen.name == "SESSION"


@pytest.mark.parametrize(
    ("path", "said", "names"),
    [
        ("plate", "LABELS", {"device", "model"}),
        ("plate", "TABLE", {"device", "model"}),
        ("prompts.csv", "FILE", {"device", "model"}),
        ("plate", "SESSION", {"device"}),
        ("plan.json", "FILE", set()),
    ],
)
def test_the_model_is_the_windows_unless_something_says_another(
    path: str, said: str, names: set[str]
) -> None:
    from napari_sam2.plugin.batch_order import Filled, Said, usual
    from napari_sam2.plugin.choices import Choices

    found = usual(Filled(Path(path), Said[said]), Choices("large", "cpu"))
    assert found.items() == {key: {"device": "cpu", "model": "large"}[key] for key in names}.items()


def test_the_folder_of_the_image_is_suggested(desk: Desk, plate: Path) -> None:
    desk.bridge.image = SimpleNamespace(source=SimpleNamespace(path=str(plate / "well1.tif")))
    desk.bridge.events.image_changed.emit()
    assert desk.dock.form.path.path == plate
    desk.bridge.image = SimpleNamespace(source=SimpleNamespace(path=str(plate / "first" / "well1.tif")))
    desk.bridge.events.image_changed.emit()
    assert desk.dock.form.path.path == plate


def test_every_control_has_a_tooltip(desk: Desk) -> None:
    from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit

    found = [
        one
        for kind in (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit)
        for one in desk.dock.findChildren(kind)
        if not isinstance(one.parent(), QAbstractSpinBox | QComboBox | QLineEdit)
        and one.objectName() not in ("qt_toolbar_ext_button",)
        and one.parent() is not desk.dock.table
    ]
    assert len(found) > 15
    assert [one for one in found if not one.toolTip()] == []


def test_all_problems_are_listed_before_the_start(desk: Desk, plate: Path) -> None:
    desk.labels(plate, "lost/{stem}.tif")
    desk.dock._start.click()
    desk.until_the_end()
    assert desk.dock.words == f"The plan has {COUNT} problems; nothing was done."
    assert len(desk.dock.problems) == COUNT
    assert all("does not exist" in problem for problem in desk.dock.problems)
    assert not (plate / "napari-sam2-batch").exists()
    assert desk.dock._start.isEnabled()


def test_a_check_does_nothing(desk: Desk, plate: Path) -> None:
    desk.labels(plate)
    desk.dock._check.click()
    desk.until_the_end()
    assert desk.dock.words == f"{COUNT} files, {COUNT * FRAMES} frames: nothing is wrong."
    assert desk.dock.table.states() == ("waiting",) * COUNT
    assert not (plate / "napari-sam2-batch").exists()


def test_labels_are_followed_and_what_fails_is_told(desk: Desk, plate: Path) -> None:
    damaged = plate / "well2.tif"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    desk.labels(plate)
    desk.dock.form.workers.setValue(1)
    desk.dock._start.click()
    wait(lambda: desk.dock.table.rowCount() == COUNT)
    assert not desk.dock.form.isEnabled()
    assert "under way" in desk.dock.form.labels.toolTip()
    began = time.monotonic()
    longest = 0.0
    while desk.dock.work.running:
        last = time.monotonic()
        application().processEvents()
        longest = max(longest, time.monotonic() - last)
        time.sleep(0.002)
        assert time.monotonic() - began < 120
    rest(0.05)
    # Loading a network alone takes longer, so it was not this process that did.
    assert longest < 1.0
    assert desk.dock.table.states() == ("done", "done", "failed")
    assert desk.dock.words == f"{COUNT} sequences: 2 done, 1 failed; {2 * FRAMES} frames."
    assert [problem.partition(":")[0] for problem in desk.dock.problems] == ["well2.tif"]
    for number in range(2):
        first = tifffile.imread(plate / "first" / f"well{number}.tif")
        assert np.array_equal(tifffile.imread(plate / "napari-sam2-batch" / f"well{number}.tif")[0], first)
    desk.dock._report.click()
    assert desk.shown == [str(plate / "napari-sam2-batch" / "report.html")]
    assert desk.dock.form.isEnabled()
    assert "under way" not in desk.dock.form.labels.toolTip()


def test_the_session_goes_to_each_file(desk: Desk, plate: Path, tmp_path: Path) -> None:
    desk.open(plate, 1)
    assert "1 object, prompted 1 time, of well0" in desk.dock.form._session.text()
    desk.dock.form.path.set(plate)
    desk.dock.form.out.set(tmp_path / "results")
    kind = desk.dock.form.kind
    kind.setCurrentIndex(kind.findText("npy"))
    desk.dock.start()
    desk.until_the_end()
    assert desk.dock.table.states() == ("done",) * COUNT
    told = tifffile.imread(plate / "first" / "well0.tif") == 1
    for number in range(COUNT):
        assert np.array_equal(np.load(tmp_path / "results" / f"well{number}.npy")[1] == 1, told)


def test_it_is_stopped_and_taken_up_again(desk: Desk, plate: Path) -> None:
    desk.labels(plate)
    desk.dock.start()
    wait(lambda: desk.dock.table.finished == 1, 120)
    desk.dock._cancel.click()
    desk.until_the_end()
    assert "What is done stays" in desk.dock.words
    assert "done" in desk.dock.table.states()
    assert not desk.dock._report.isEnabled()
    desk.dock._start.click()
    desk.until_the_end()
    states = desk.dock.table.states()
    assert states[0] == "done before"
    assert set(states) <= {"done", "done before"}
    assert desk.dock._report.isEnabled()


def test_an_error_is_a_sentence(desk: Desk, plate: Path) -> None:
    desk.dock.form.path.set(plate / "lost.csv")
    desk.dock.start()
    desk.until_the_end()
    assert "does not exist" in desk.dock.words
    assert desk.dock._start.isEnabled()


def test_a_dock_that_is_destroyed_stops_its_batch(desk: Desk, plate: Path) -> None:
    from qtpy.QtCore import QCoreApplication, QEvent

    from napari_sam2.plugin.batch_dock import BatchDock

    dock = desk.dock = BatchDock(desk.viewer)
    desk.labels(plate)
    dock.start()
    wait(lambda: dock.table.rowCount() == COUNT)
    thread = dock.work._thread
    assert thread is not None
    dock.deleteLater()
    QCoreApplication.sendPostedEvents(dock, QEvent.Type.DeferredDelete.value)
    wait(lambda: not thread.is_alive(), 60)
    assert not (plate / "napari-sam2-batch" / "report.html").exists()


def test_rows_add_up_the_chunks_of_a_file(desk: Desk) -> None:
    from napari_sam2.plugin.batch_table import BatchTable
    from napari_sam2.plugin.batch_work import Row

    table = BatchTable()
    table.begin([Row(name, Path(name), Path("out", name), 10) for name in ("a.tif", "b.tif")])
    assert (table.states(), table.share) == (("waiting", "waiting"), 0.0)
    table.note(Note("a.tif", 0, 3, 6))
    table.note(Note("a.tif", 1, 1, 6))
    assert table.item(0, 2).text() == "4/12"
    assert table.share == pytest.approx(0.99 * 4 / 12 / 2)
    table.end(Outcome("a.tif", "", "", Status.DONE, 2.0, frames=10))
    table.note(Note("a.tif", 1, 6, 6))  # late
    assert table.states() == ("done", "waiting")
    table.end(Outcome("b.tif", "", "", Status.FAILED, message="It is damaged."))
    assert (table.share, table.finished, table.failed) == (1.0, 2, 1)
    assert table.item(1, 1).toolTip() == "It is damaged."


def test_it_is_no_wider_than_a_dock(desk: Desk) -> None:
    desk.dock.resize(320, 800)
    rest(0.05)
    inside: Any = desk.dock.findChildren(type(desk.dock.form))[0].parentWidget()
    assert inside.minimumSizeHint().width() <= 320
