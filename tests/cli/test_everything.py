from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_sam2.cli.app import app
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.io.labels import read_provenance


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames of 80 x 80 pixels with two nuclei."""
    path = tmp_path_factory.mktemp("movie") / "movie.tif"
    images = moving_nuclei(frames=3, height=80, width=80, objects=2, divisions=0, seed=7).images
    tifffile.imwrite(path, images, photometric="minisblack", metadata={"axes": "TYX"})
    tifffile.imwrite(path.with_name("image.tif"), images[0], photometric="minisblack")
    return path


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


def test_all_objects_of_an_image(movie: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.tif"
    code, out, err = run("segment", movie.with_name("image.tif"), "--everything", "-o", output)
    assert (code, err) == (0, "")
    assert out == f"{output}: 2 objects, 80 x 80 pixels\n"
    labels = tifffile.imread(output)
    assert np.unique(labels).tolist() == [0, 1, 2]
    assert read_provenance(output)["points"] == "seeds"


def test_all_objects_of_a_movie_with_lineage(movie: Path, tmp_path: Path) -> None:
    folder = tmp_path / "01_RES"
    code, out, err = run("track", movie, "--everything", "--every", 2, "-o", folder, "--kind", "ctc")
    assert (code, err) == (0, "")
    assert out == f"{folder}: 2 objects, 0 divisions, 3 frames\n"
    assert (folder / "res_track.txt").read_text() == "1 0 2 0\n2 0 2 0\n"
    assert tifffile.imread(folder / "mask002.tif").shape == (80, 80)


@pytest.mark.usefixtures("random_nano")
def test_points_all_over(movie: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.npy"
    image = movie.with_name("image.tif")
    code, out, _ = run("segment", image, "--everything", "--points", "grid", "-o", output)
    assert code == 0
    assert out == f"{output}: {np.load(output).max()} objects, 80 x 80 pixels\n"


@pytest.mark.usefixtures("random_nano")
@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("segment", "image.tif", "--everything", "--click", "1,1"), 2, "leave out --click"),
        (("segment", "movie.tif", "--everything"), 1, "has 3 frames"),
        (("track", "movie.tif", "--everything", "--object", "0,1,1"), 2, "leave out --object"),
        (("track", "movie.tif", "--everything", "--every", "0"), 2, "--every"),
        (("track", "movie.tif", "--everything", "--kind", "coco"), 1, ".json"),
        (("track", "movie.tif", "--kind", "coco", "--object", "0,1,1"), 2, "--everything"),
    ],
)
def test_what_cannot_be(
    movie: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    text: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(movie.parent)
    found, out, err = run(*words, "-o", tmp_path / "labels.tif")
    assert found == code
    assert text in err
    assert not out
    assert not (tmp_path / "labels.tif").exists()


@pytest.mark.usefixtures("random_nano")
def test_a_frame_that_shows_nothing(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "flat.tif", np.full((64, 64), 3, np.uint8), photometric="minisblack")
    code, out, _ = run("segment", tmp_path / "flat.tif", "--everything", "-o", tmp_path / "labels.tif")
    assert code == 0
    assert "0 objects" in out
    assert not tifffile.imread(tmp_path / "labels.tif").any()
