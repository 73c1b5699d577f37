"""Lines of the list of models."""

import pytest

from napari_sam2.io.registry import CHECKPOINTS, EMBEDDED, model_names
from napari_sam2.plugin.model_rows import MEGABYTES, model_rows, progress_words, state_words, title
from napari_sam2.plugin.status import Model, Status
from napari_sam2.session.devices import Device

CPU, CUDA = Device("cpu", "CPU"), Device("cuda", "A GPU")


def test_every_published_model_has_a_line_and_a_size() -> None:
    rows = model_rows(model_names(), ())
    assert [row.name for row in rows] == list(model_names())
    assert rows[0].name == EMBEDDED
    assert rows[0].ready
    assert set(MEGABYTES) == set(CHECKPOINTS)
    assert all("to download" in row.text and not row.ready for row in rows[1:])
    assert all("Apache" in row.tip for row in rows[1:])
    assert "BSD" in rows[0].tip


def test_what_was_fetched_is_ready() -> None:
    _, tiny = model_rows(("nano", "sam2.1_hiera_tiny"), ("sam2.1_hiera_tiny",))
    assert tiny.ready
    assert tiny.text == "SAM 2.1 tiny – on disk"


def test_models_without_memory_cannot_be_chosen() -> None:
    rows = model_rows(("sam2_hiera_large", "sam_vit_b"), ())
    assert [bool(row.why_not) for row in rows] == [False, True]
    assert "no memory" in rows[1].tip


def test_own_files_come_last() -> None:
    *_, own = model_rows(("nano",), (), ("/data/my cells.safetensors",))
    assert own.name == "/data/my cells.safetensors"
    assert own.text.startswith("my cells.safetensors")
    assert own.ready


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nano", "nano"),
        ("sam2_hiera_base_plus", "SAM 2 base+"),
        ("sam2.1_hiera_large", "SAM 2.1 large"),
        ("sam_vit_h", "SAM ViT-H"),
        ("/a/b/c.safetensors", "c.safetensors"),
    ],
)
def test_titles(name: str, expected: str) -> None:
    assert title(name) == expected


@pytest.mark.parametrize(
    ("status", "device", "known", "expected"),
    [
        (Status(model=Model.READY), None, (CUDA, CPU), "nano is ready on cuda."),
        (Status(model=Model.READY), "cpu", (CUDA, CPU), "nano is ready on cpu."),
        (Status(model=Model.READY), None, (), "nano is ready."),
        (Status(model=Model.LOADING), None, (CPU,), "nano is being loaded on cpu ..."),
        (Status(model=Model.FAILED, message="No such file."), None, (CPU,), "Not ready: No such file."),
        (Status(), None, (CPU,), "nano begins on cpu as soon as an image is chosen."),
    ],
)
def test_state(status: Status, device: str | None, known: tuple[Device, ...], expected: str) -> None:
    assert state_words("nano", status, device, known) == expected


def test_progress() -> None:
    assert progress_words(5_400_000, 156_000_000) == "5 of 156 MB"
    assert progress_words(5_400_000, None) == "5 MB"
