from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_sam2.cli.app import app
from napari_sam2.imaging.phantoms import nuclei_volume_movie
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.io.labels import read_provenance

pytestmark = pytest.mark.usefixtures("random_nano")


@pytest.fixture
def movie() -> np.ndarray:
    return nuclei_volume_movie(2, 6, 20, 24, 1, 0, seed=1, radius=5).images


@pytest.fixture
def volume(tmp_path: Path, movie: np.ndarray) -> Path:
    path = tmp_path / "volume.tif"
    tifffile.imwrite(
        path,
        movie[0],
        imagej=True,
        resolution=(2.0, 2.0),
        metadata={"axes": "ZYX", "spacing": 1.5, "unit": "um"},
    )
    return path


@pytest.fixture
def volumes(tmp_path: Path, movie: np.ndarray) -> Path:
    path = tmp_path / "volumes.tif"
    tifffile.imwrite(path, movie, photometric="minisblack", metadata={"axes": "TZYX"})
    return path


def run(stack: Path, output: Path, *more: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["track", str(stack), "--object", "3,10,12", "-o", str(output), *more])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--axis", "z"),
        ("--axis", "y", "--both-ways"),
        ("--axis", "x", "--smooth", "0.5"),
        ("--vote", "--both-ways"),
    ],
)
def test_a_volume_along_any_axis(volume: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    output = tmp_path / "labels.tif"
    code, out, err = run(volume, output, *options)
    assert code == 0, err
    assert out == f"{output}: 1 object, 6 slices\n"
    with tifffile.TiffFile(output) as tiff:
        assert tiff.series[0].axes == "ZYX"
    assert tifffile.imread(output).shape == (6, 20, 24)
    notes = read_provenance(output)
    assert notes["policy"] == repr(TrackingPolicy.for_stacks())
    assert notes["prompts"] == ["1: Voxel(z=3, y=10.0, x=12.0, positive=True)"]
    assert notes["volume"]["spacing"] == pytest.approx([1.5, 0.5, 0.5])
    assert notes["volume"]["both_ways"] is ("--both-ways" in options)


def test_what_is_said_about_a_volume_is_kept(volume: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.tif"
    options = ("--axis", "z", "--both-ways", "--range", "1,4", "--stop", "2", "--spacing", "3,1,1")
    code, _, err = run(volume, output, *options)
    assert code == 0, err
    labels = tifffile.imread(output)
    assert labels.shape == (6, 20, 24)
    assert not labels[:2].any() and not labels[5:].any()
    said = read_provenance(output)["volume"]
    assert (said["first"], said["last"], said["stops"], said["spacing"]) == (1, 4, [2], [3.0, 1.0, 1.0])


def test_volumes_in_time(volumes: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.tif"
    code, out, err = run(volumes, output, "--both-ways")
    assert code == 0, err
    assert out.endswith(f"{output}: 1 object, 6 slices, 2 volumes\n")
    with tifffile.TiffFile(output) as tiff:
        assert tiff.series[0].axes == "TZYX"
    assert tifffile.imread(output).shape == (2, 6, 20, 24)


def test_an_earlier_volume_stays_empty(volumes: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.tif"
    assert run(volumes, output, "--both-ways", "--time", "1")[0] == 0
    assert not tifffile.imread(output)[0].any()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--axis", "t"), 2, "'z', 'y', 'x'"),
        (("--vote",), 1, "give --both-ways as well"),
        (("--vote", "--both-ways", "--stop", "2"), 1, "go with one sweep through one volume"),
        (("--axis", "z", "--range", "2"), 2, "expected first,last"),
        (("--axis", "z", "--range", "4,9"), 1, "There is no slice 9"),
        (("--axis", "z", "--spacing", "1,2"), 2, "expected z,y,x"),
        (("--axis", "z", "--spacing", "1,2,0"), 1, "three distances above 0"),
        (("--axis", "z", "--object", "9,1,1"), 1, "slice 9 along z"),
    ],
)
def test_bad_options(
    volume: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    found, _, err = run(volume, tmp_path / "labels.tif", *options)
    assert found == code
    assert words in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["volume.tif"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "swept along z, both ways"),
        (("--both-ways", "--axis", "y"), "swept along z, both ways"),
        (("--both-ways", "--stop", "3"), "go with one sweep"),
        (("--both-ways", "--time", "5"), "There is no volume 5"),
    ],
)
def test_what_volumes_in_time_cannot_do(
    volumes: Path, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    code, _, err = run(volumes, tmp_path / "labels.tif", *options)
    assert code == 1
    assert words in err


def test_a_single_image_is_no_volume(image: Path, tmp_path: Path) -> None:
    code, _, err = run(image, tmp_path / "labels.tif", "--axis", "z")
    assert code == 1
    assert "that is no volume" in err
