from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_sam2.cli.app import app
from napari_sam2.cli.evaluate import PromptName, ProtocolName
from napari_sam2.evaluation import evaluate, extras
from napari_sam2.evaluation.evaluate import EvaluationProtocol
from napari_sam2.evaluation.methods import Tracked
from napari_sam2.evaluation.objects import Prompting
from napari_sam2.imaging.corruptions import Corruption
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.model.sam2 import SAM2

pytestmark = pytest.mark.usefixtures("random_nano")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two annotated images of two nuclei each."""
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in (1, 2):
        phantom = moving_nuclei(frames=1, height=64, width=72, objects=2, divisions=0, seed=seed)
        for name, array in (("image", phantom.images), ("labels", phantom.labels)):
            tifffile.imwrite(folder / f"{seed}_{name}.tif", array[0], photometric="minisblack")
    return folder


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    """An annotated time-lapse."""
    folder = tmp_path / "movie"
    folder.mkdir()
    phantom = moving_nuclei(frames=4, height=64, width=72, objects=2, divisions=0, seed=1)
    for name, array in (("image", phantom.images), ("labels", phantom.labels)):
        tifffile.imwrite(folder / f"{name}.tif", array, photometric="minisblack", metadata={"axes": "TYX"})
    return folder


def _run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["evaluate", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def test_names_on_the_command_line_are_those_of_the_package() -> None:
    assert [name.value for name in ProtocolName] == [protocol.value for protocol in EvaluationProtocol]
    assert [name.value for name in PromptName] == [prompting.value for prompting in Prompting]


def test_images(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, text, err = _run("nano", images, "--out", out, "--clicks", 2, "--objects", 1, "--worst", 1)
    assert (code, err) == (0, "")
    assert "nano on images, protocol clicks, at most 1 objects each (seed 0)" in text
    assert "| IoU after 2 clicks | 2 | 0." in text
    assert (out / "table.md").read_text().strip() in text
    names = sorted(path.name for path in out.iterdir())
    assert names == ["clicks.png", "scores.csv", "table.md", "worst"]
    assert sorted(path.name for path in (out / "worst").iterdir()) == ["01.png", "index.md"]
    values = (out / "scores.csv").read_text().splitlines()
    # Two methods, two objects; two clicks, a box and a mask.
    assert len(values) == 1 + 2 * 2 * 4
    code, _, err = _run("nano", images, "--out", out)
    assert code == 1
    assert "is not empty" in err


def test_movie_without_extras(movie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(extras, "import_module", missing)
    words = ["nano", movie, "--out", tmp_path / "out", "--protocol", "first-frame", "--prompt", "mask"]
    code, _, err = _run(*words)
    assert (code, "Plots need matplotlib" in err, err.count("\n")) == (1, True, 1)
    code, _, err = _run(*words, "--no-plots")
    assert (code, "baselines need scikit-image" in err, err.count("\n")) == (1, True, 1)
    assert not (tmp_path / "out").exists()
    code, text, err = _run(*words, "--no-plots", "--no-baseline", "--all-frames")
    assert (code, err) == (0, "")
    assert "| J&F, mask | 2 | 0." in text
    assert "CTC" not in text
    assert not (tmp_path / "out" / "sequence.png").exists()
    frames = {line.split(",")[3] for line in (tmp_path / "out" / "scores.csv").read_text().splitlines()[1:]}
    assert frames == {"", "0", "1", "2", "3"}


def test_slices_are_followed_by_the_policy_for_stacks(
    movie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []

    class Noted(Tracked):
        def __init__(self, model: SAM2, policy: TrackingPolicy | None = None) -> None:
            super().__init__(model, policy)
            used.append(policy)

    monkeypatch.setattr(evaluate, "Tracked", Noted)
    words = ["nano", movie, "--protocol", "first-frame", "--no-plots", "--no-baseline", "--objects", 1]
    for more in ((), ("--slices",)):
        code, text, _ = _run(*words, "--out", tmp_path / str(len(more)), *more)
        assert code == 0
        assert ("as slices" in text) is bool(more)
    assert used == [TrackingPolicy(), TrackingPolicy.for_stacks()]


def test_online(movie: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, text, err = _run("nano", movie, "--out", out, "--protocol", "online", "--rounds", 2, "--objects", 1)
    assert (code, err) == (0, "")
    assert "| J&F, mean over 1 to 2 | 1 | 0." in text
    assert (out / "frames.png").exists() and (out / "seconds.png").exists()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--protocol", "first-frame"), 1, "'first-frame' finds nothing to work on"),
        (("--min-size", "100000"), 1, "allow smaller ones"),
        (("--protocol", "guess"), 2, "guess"),
        (("--clicks", "0"), 2, "clicks"),
    ],
)
def test_bad_wishes(
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    sentence: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    found, text, err = _run("nano", images, "--out", tmp_path / "out", *words)
    assert found == code
    assert sentence in err
    assert "Traceback" not in err
    assert not text


def test_damaged_image_is_left_out_before_the_work(images: Path, tmp_path: Path) -> None:
    whole = (images / "1_image.tif").read_bytes()
    (images / "1_image.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match="left out"):
        code, text, _ = _run("nano", images, "--out", tmp_path / "out", "--clicks", 1, "--no-baseline")
    assert code == 0
    assert "| IoU after 1 click | 2 |" in text


def test_data_that_are_not_there(tmp_path: Path) -> None:
    code, _, err = _run("nano", tmp_path / "nothing", "--out", tmp_path / "out")
    assert code == 1
    assert "nothing" in err
    np.save(tmp_path / "lonely.npy", np.zeros((4, 4)))
    code, _, err = _run("nano", tmp_path, "--out", tmp_path / "out")
    assert code == 1
    assert not (tmp_path / "out").exists()


def test_corruptions(movie: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--protocol", "first-frame", "--no-plots", "--no-baseline", "--objects", 1, "--severity", 2]
    code, text, err = _run(
        "nano", movie, "--out", out, *words, "--corruption", "Defocus", "--corruption", "stripes"
    )
    assert (code, err) == (0, "")
    assert "What corruptions cost in J&F, 1-click" in text
    assert (out / "corruptions.md").read_text().splitlines()[-1] in text
    rows = (out / "corruptions.csv").read_text().splitlines()[1:]
    assert {tuple(row.split(",")[:2]) for row in rows} == {("defocus", "2"), ("stripes", "2")}
    code, _, err = _run("nano", movie, "--out", tmp_path / "other", *words, "--corruption", "fog")
    assert (code, "no corruption 'fog'" in err, err.count("\n")) == (1, True, 1)
    assert not (tmp_path / "other").exists(), "it is said before the work"


def test_all_corruptions(images: Path, tmp_path: Path) -> None:
    words = ["--no-plots", "--no-baseline", "--objects", 1, "--severity", 1, "--clicks", 1, "--whole-image"]
    code, text, err = _run("nano", images, "--out", tmp_path / "out", *words, "--corruptions")
    assert (code, err) == (0, "")
    named = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")}
    assert {one.value for one in Corruption} - named == {"drift and jitter", "missing frames"}
