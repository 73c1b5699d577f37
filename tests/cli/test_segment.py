from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_sam2.cli.app import app

pytestmark = pytest.mark.usefixtures("random_nano")


def _run(image: Path, output: Path, *more: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["segment", str(image), "-o", str(output), *more])
    return result.exit_code, result.stdout, result.stderr


def test_one_object_from_clicks_and_a_box(image: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.tif"
    options = ("--click", "30,30", "--negative", "2,2", "--box", "10,10,50,50", "--device", "cpu")
    code, out, err = _run(image, output, *options)
    assert (code, err) == (0, "")
    assert out == f"{output}: 1 object, 64 x 72 pixels\n"
    labels = tifffile.imread(output)
    assert labels.shape == (64, 72)
    assert labels.dtype == np.uint16
    assert set(np.unique(labels)) <= {0, 1}


def test_several_objects(image: Path, tmp_path: Path) -> None:
    code, out, _ = _run(image, tmp_path / "labels.npy", "--object", "30,30", "--object", "40,50")
    assert code == 0
    assert "2 objects" in out
    assert set(np.unique(np.load(tmp_path / "labels.npy"))) <= {0, 1, 2}


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 1, "say where the object is, with --click y,x"),
        (("--negative", "1,1"), 1, "say where the object is"),
        (("--click", "1"), 2, "expected y,x"),
        (("--box", "1,2,3"), 2, "expected y0,x0,y1,x1"),
        (("--box", "9,9,3,3"), 1, "is empty"),
        (("--object", "1,1", "--click", "2,2"), 2, "either --object"),
        (("--click", "900,900"), 1, "900"),
        (("--clack", "1,1"), 2, "--clack"),
    ],
)
def test_bad_prompts(
    image: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    found, out, err = _run(image, tmp_path / "labels.tif", *options)
    assert found == code
    assert words in err
    assert "Traceback" not in err
    assert not out
    assert not (tmp_path / "labels.tif").exists()


def test_missing_image(tmp_path: Path) -> None:
    code, _, err = _run(tmp_path / "nothing.tif", tmp_path / "labels.tif", "--click", "1,1")
    assert code == 1
    assert "nothing.tif" in err
    assert err.count("\n") == 1


def test_a_stack_belongs_to_track(stack: Path, tmp_path: Path) -> None:
    code, _, err = _run(stack, tmp_path / "labels.tif", "--click", "1,1")
    assert code == 1
    assert "has 6 frames" in err


def test_constant_image(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "flat.tif", np.full((64, 72), 7, np.uint16), photometric="minisblack")
    code, _, err = _run(tmp_path / "flat.tif", tmp_path / "labels.tif", "--click", "1,1")
    assert code == 1
    assert "7" in err


def test_existing_output_needs_overwrite(image: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.tif"
    output.write_text("precious")
    code, _, err = _run(image, output, "--click", "30,30")
    assert code == 1
    assert "exists already" in err
    assert output.read_text() == "precious"
    assert _run(image, output, "--click", "30,30", "--overwrite")[0] == 0
    assert tifffile.imread(output).shape == (64, 72)


def test_unknown_model(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    code, _, err = _run(image, tmp_path / "labels.tif", "--click", "30,30", "--model", "nanno")
    assert code == 1
    assert "Did you mean 'nano'" in err
    assert not (tmp_path / "labels.tif").exists()
