"""NIfTI and NRRD: axes, distances, order, damage."""

import gzip

import nibabel
import nrrd
import numpy as np
import pytest

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.frames import frames_of, open_frames
from napari_sam2.io.images import open_image

FULL = np.random.default_rng(0).integers(-900, 2000, (3, 4, 20, 30), dtype=np.int16)  # TZYX


def nifti(path, array=FULL, scale=None):
    image = nibabel.Nifti1Image(array.T.copy(), np.eye(4))
    image.header.set_zooms((0.5, 0.75, 2, 10)[: array.ndim])
    image.header.set_xyzt_units("mm", "sec")
    if scale:
        image.header.set_slope_inter(*scale)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti(tmp_path, suffix):
    with open_image(nifti(tmp_path / f"a{suffix}")) as image:
        assert (image.axes, image.shape, image.dtype) == ("TZYX", FULL.shape, np.int16)
        found = {letter: (s.step, s.unit) for letter, s in image.spacing.items()}
        assert found == {"X": (0.5, "mm"), "Y": (0.75, "mm"), "Z": (2, "mm"), "T": (10, "s")}
        for t, z in ((0, 1), (2, 3), (1, 0), (0, 0)):
            assert np.array_equal(image.array[t, z], FULL[t, z])
        assert np.array_equal(list(frames_of(image, at={"T": 1})), FULL[1])
    with open_image(nifti(tmp_path / f"b{suffix}", FULL[0])) as image:
        assert image.axes == "ZYX"


def test_nifti_that_scales_its_numbers(tmp_path):
    with open_frames(nifti(tmp_path / "a.nii", FULL[0], (0.5, 10))) as frames:
        assert frames.dtype == np.float64
        assert np.allclose(frames[2], nibabel.load(tmp_path / "a.nii").get_fdata().T[2])


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("dtype", ["<i2", ">f4", "u1"])
def test_nrrd(tmp_path, encoding, detached, dtype):
    array = FULL[0].astype(dtype)
    path = tmp_path / ("a.nhdr" if detached else "a.nrrd")
    space = {"space directions": np.diag([0.5, 0.75, 2.0]), "space dimension": 3, "space units": ["mm"] * 3}
    nrrd.write(str(path), array.T, {"encoding": encoding, **space}, detached_header=detached)
    with open_image(path) as image:
        assert (image.name, image.axes, image.shape, image.dtype) == (
            path.name,
            "ZYX",
            array.shape,
            array.dtype.newbyteorder("="),
        )
        found = {letter: (s.step, s.unit) for letter, s in image.spacing.items()}
        assert found == {"X": (0.5, "mm"), "Y": (0.75, "mm"), "Z": (2, "mm")}
        for z in (0, 3, 1):
            assert np.array_equal(image.array[z], array[z])


@pytest.mark.parametrize(
    ("shape", "kinds", "axes"),
    [
        ((20, 30), None, "YX"),
        ((4, 20, 30), ["space", "space", "time"], "TYX"),
        ((2, 4, 20, 30), ["space", "space", "space", "time"], "TZYX"),
        ((4, 20, 30, 3), ["RGB-color", "space", "space", "space"], "ZYXC"),
        ((20, 30, 3), ["vector", "space", "space"], "YXC"),
    ],
)
def test_axes_of_nrrd(tmp_path, shape, kinds, axes):
    array = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    nrrd.write(str(tmp_path / "a.nrrd"), array.T, {"kinds": kinds} if kinds else {})
    with open_image(tmp_path / "a.nrrd") as image:
        assert image.axes == axes
        assert np.array_equal(image.array, array)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "raw.nrrd", "gzip.nrrd"])
def test_cut_short(tmp_path, name):
    path = tmp_path / name
    if ".nii" in name:
        nifti(path)
    else:
        nrrd.write(str(path), FULL.T, {"encoding": path.stem})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(StorageError, match=rf"{name} cannot be read.*cut short"), open_image(path) as image:
        image.array[2]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.nhdr"])
def test_garbage_and_emptiness(tmp_path, name):
    (tmp_path / name).write_bytes(b"garbage, not a volume" * 30)
    with pytest.raises(StorageError, match=rf"{name} cannot be read"):
        open_image(tmp_path / name)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(StorageError, match="empty"):
        open_image(tmp_path / name)


def test_what_nrrd_may_say_and_is_not_read(tmp_path):
    nrrd.write(str(tmp_path / "a.nrrd"), FULL[0].T, {"encoding": "bzip2"})
    with pytest.raises(ImageError, match="encoded as 'bzip2': save it as raw or gzip"):
        open_image(tmp_path / "a.nrrd")
    nrrd.write(str(tmp_path / "b.nhdr"), FULL[0].T, {"encoding": "raw"}, detached_header=True)
    (tmp_path / "b.raw").unlink()
    with pytest.raises(StorageError, match=r"b\.raw holds the pixels of b\.nhdr and does not exist"):
        open_image(tmp_path / "b.nhdr")


def test_a_damaged_compressed_slice_names_its_place(tmp_path):
    path = tmp_path / "a.nrrd"
    nrrd.write(str(path), FULL[0].T, {"encoding": "gzip"})
    head, data = path.read_bytes().split(b"\n\n", 1)
    whole = gzip.decompress(data)
    path.write_bytes(head + b"\n\n" + gzip.compress(whole[: len(whole) * 5 // 8]))
    with open_frames(path) as frames:
        assert np.array_equal(frames[1], FULL[0, 1])
        with pytest.raises(StorageError, match=r"at plane 2 \(600 of 1200 bytes"):
            frames[2]
        assert np.array_equal(frames[0], FULL[0, 0])
