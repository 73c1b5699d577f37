"""Files of every kind: the same frames, the same labels, the same sentences about what is wrong."""

import dask.array
import numpy as np
import pytest
import zarr

from napari_sam2 import Click, VideoTracker, load_model
from napari_sam2.errors import ImageError, StorageError
from napari_sam2.imaging.phantoms import moving_nuclei
from napari_sam2.io.frames import frames_of, open_frames
from napari_sam2.io.images import open_image
from napari_sam2.session.image import arrange
from tests.conftest import SHARED
from tests.io.made_files import one_of_each_kind

KINDS = [
    *("plain.tif", "imagej.tif", "small.ome.tif", "pictures", "a.npy"),
    *("plain2.zarr", "plain3.zarr", "ome2.zarr", "ome3.zarr"),
    *("a.mkv", "a.avi", "a.mp4", "a.mov", "a.nii", "a.nii.gz", "raw.nrrd", "gzip.nrrd"),
]
COLOURED = ("a.mp4",)  # stored as red, green and blue


@pytest.fixture(scope="module")
def movie():
    images = moving_nuclei(frames=9, height=64, width=96, objects=3, divisions=0, seed=3).images
    return (images / images.max() * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def made(tmp_path_factory, movie):
    return one_of_each_kind(tmp_path_factory.mktemp("kinds"), movie)


def test_no_kind_is_left_out(made):
    assert sorted(made) == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_frames(made, movie, kind):
    with open_frames(made[kind], channel=0 if kind in COLOURED else None) as frames:
        assert frames.shape == movie.shape
        assert frames.dtype == np.uint8
        for i in (0, 8, 3, 4, 5, 2):
            assert np.array_equal(frames[i], movie[i])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_array_to_a_session(made, movie, kind):
    with open_image(made[kind]) as image:
        gray = image.array[..., 0] if kind in COLOURED else image.array
        arranged, along = arrange(gray, image.axes[: gray.ndim])
        assert (along, arranged.shape) == ("T", movie.shape)
        assert np.array_equal(arranged[7], movie[7])
        part = (
            slice(1, 8, 3),
            *(0 for _ in image.axes[1 : image.axes.index("Y")]),
            slice(5, 40),
            slice(-20, None),
        )
        part = (*part, 1) if kind in COLOURED else part
        assert np.array_equal(image.array[part], movie[1:8:3, 5:40, -20:])
    with pytest.raises(StorageError, match="closed: open it again"):
        image.array[0]


def labels_of(frames):
    tracker = VideoTracker(load_model("nano"))
    state = tracker.start(frames)
    tracker.prompt(state, frame=0, object_id=1, clicks=[Click(*np.argwhere(frames[0] > 150)[0])])
    return np.stack([result.labels() for result in tracker.propagate(state)])


def test_the_labels_are_the_same_too(made, movie):
    expected = labels_of(movie[:2])
    assert expected.any()
    for kind in ("ome3.zarr", "a.mp4"):
        with open_image(made[kind]) as image:
            first = image.array[:2]
            frames = frames_of(open_image(first, image.axes), channel=0 if kind in COLOURED else None)
            assert np.array_equal(labels_of(frames), expected)


@pytest.mark.parametrize("lazy", [np.asarray, dask.array.from_array, zarr.array])
def test_arrays_of_every_kind(movie, lazy):
    array = lazy(np.stack([movie, 255 - movie], axis=1))
    image = open_image(array, "TCYX")
    assert (image.axes, image.shape) == ("TCYX", array.shape)
    frames = frames_of(image, channel=1)
    assert np.array_equal(frames[4], 255 - movie[4])
    frames.close()
    assert np.array_equal(image.array[4, 0], movie[4])
    assert np.array_equal(open_frames(array, axes="TCYX", channel="all")[4][..., 0], movie[4])


@pytest.mark.parametrize("axes", ["YXT", "XYT", "TYX", "TXY"])
def test_axes_may_be_overridden_in_any_order(tmp_path, movie, axes):
    np.save(tmp_path / "a.npy", np.ascontiguousarray(movie.transpose(["TYX".index(a) for a in axes])))
    with open_frames(tmp_path / "a.npy", axes=axes.lower()) as frames:
        assert np.array_equal(np.stack(list(frames)), movie)


def test_arrays_in_fortran_order_stay_in_their_file(tmp_path, movie):
    np.save(tmp_path / "a.npy", np.asfortranarray(movie))
    with open_frames(tmp_path / "a.npy") as frames:
        assert np.array_equal(frames[3], movie[3])


def test_no_level_where_there_is_one(made):
    for kind in ("plain.tif", "pictures", "a.npy", "plain3.zarr", "a.mkv", "a.nii", "raw.nrrd"):
        with pytest.raises(ImageError, match=r"has 1 level\(s\).*no level 1"):
            open_image(made[kind], level=1)
    with pytest.raises(ImageError, match=r"2 level\(s\).*no level -1"):
        open_image(made["ome2.zarr"], level=-1)


@pytest.mark.parametrize(
    ("shape", "axes", "words"),
    [
        ((2, 3, 4, 20, 30), None, r'what its axes are: name them, as in axes="TZCYX"'),
        ((2, 3, 20, 30), None, r'axes="TZYX"'),
        ((20,), None, "2 to 5 axes"),
        ((2, 3, 20, 30), "TYX", "names 3: give one letter for each"),
        ((2, 3, 20, 30), "TTYX", "name each axis once"),
        ((2, 3, 20, 30), "TZCX", "Y and X among them"),
        ((2, 3, 20, 30), "TAYX", "with T, Z, C, Y and X"),
        ((2, 0, 30), "TYX", "0 pixels"),
    ],
)
def test_axes_that_do_not_fit(shape, axes, words):
    with pytest.raises(ImageError, match=words):
        open_image(np.zeros(shape), axes)


def test_numbers_that_are_no_pixels():
    with pytest.raises(ImageError, match="complex128"):
        open_image(np.zeros((20, 30), complex))


def test_unknown_kinds_are_told_what_is_known(tmp_path):
    (tmp_path / "a.czi").write_bytes(b"x")
    with pytest.raises(StorageError, match=r"'\.czi'.*\.npy, \.mp4.*\.nii.*\.nrrd.*\.zarr"):
        open_image(tmp_path / "a.czi")


REAL = {
    "xy_rgb__cells.tif": ("YXC", (257, 280, 3), {}),
    "xyc_16bit__nup_nuclei.tif": ("CYX", (2, 420, 476), {}),
    "xyc_16bit__nup_nuclei_labels.tif": ("YX", (420, 476), {}),
    "xyt_8bit_polyp.tif": ("TYX", (3, 313, 313), {}),
    "xyz_8bit__chromosomes.tif": ("ZYX", (40, 152, 126), {"Z": (0.15, "µm"), "X": (0.03385, "µm")}),
    "xyz_8bit__mitotic_plate_calibrated.tif": ("ZYX", (6, 263, 263), {"Z": (3.0, "µm"), "X": (0.0852, "µm")}),
    "xyzc_16bit__spots.tif": ("ZCYX", (17, 2, 88, 89), {"Z": (0.4, "µm"), "Y": (0.09413, "µm")}),
    "em_series": ("ZYX", (21, 256, 256), {}),
}


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the shared images are not there")
def test_every_layout_of_real_images_has_its_axes():
    folder = SHARED / "data" / "layouts_no_gt"
    assert sorted(REAL) == sorted(path.name for path in folder.iterdir() if path.suffix != ".md")
    for name, (axes, shape, spacing) in REAL.items():
        with open_image(folder / name) as image:
            assert (image.axes, image.shape) == (axes, shape)
            for letter, (step, unit) in spacing.items():
                assert image.spacing[letter].step == pytest.approx(step, rel=1e-3)
                assert image.spacing[letter].unit == unit
            frames = frames_of(image, channel=0 if axes.endswith("CYX") else None)
            assert len(frames) == image.size("T") * image.size("Z")
            assert frames[len(frames) - 1].std() > 0
