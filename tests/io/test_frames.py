"""Every way in for images, and every way in which a file is broken."""

from importlib.util import find_spec

import dask.array
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.frames import as_frames, open_frames

STACK = np.arange(5 * 20 * 30, dtype=np.uint16).reshape(5, 20, 30)
NOISE = np.random.default_rng(0).integers(0, 60000, (5, 20, 30), dtype=np.uint16)
COLOUR = np.random.default_rng(1).integers(0, 256, (5, 20, 30, 3), dtype=np.uint8)


def same(path, expected):
    with open_frames(path) as frames:
        assert frames.shape == expected.shape
        assert len(frames) == len(expected)
        assert frames.dtype == expected.dtype
        assert frames.name == path.name
        for got, frame in zip(frames, expected, strict=True):
            assert got.dtype == expected.dtype
            assert np.array_equal(got, frame)
        assert np.array_equal(frames[-1], expected[-1])


@pytest.mark.parametrize(
    ("array", "expected", "how"),
    [
        (STACK, STACK, {}),
        (STACK, STACK, {"metadata": {"axes": "TYX"}, "compression": "zlib"}),
        (STACK, STACK, {"metadata": {"axes": "ZYX"}, "imagej": True}),
        (STACK, STACK, {"byteorder": ">"}),
        (STACK, STACK, {"ome": True, "metadata": {"axes": "TYX"}}),
        (STACK, STACK, {"bigtiff": True, "metadata": None}),
        (STACK, STACK, {"tile": (16, 16), "compression": "zlib"}),
        (STACK, STACK, {"volumetric": True, "tile": (4, 16, 16), "compression": "zlib"}),
        (STACK[:, None], STACK, {"metadata": {"axes": "TCYX"}}),
        (STACK[None], STACK, {"metadata": {"axes": "CZYX"}, "compression": "zlib"}),
        (STACK[0], STACK[:1], {}),
        (STACK.astype(np.float32), STACK.astype(np.float32), {"compression": "zlib"}),
        (COLOUR, COLOUR, {"photometric": "rgb"}),
        (COLOUR, COLOUR, {"photometric": "rgb", "compression": "zlib"}),
        (COLOUR[0], COLOUR[:1], {"photometric": "rgb"}),
    ],
)
def test_tiff(tmp_path, array, expected, how):
    how = {"photometric": "minisblack"} | how
    tifffile.imwrite(tmp_path / "a.tif", array, **how)
    same(tmp_path / "a.tif", expected)


def test_pages_without_any_metadata(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.TIFF") as tiff:
        for frame in STACK:
            tiff.write(frame, contiguous=False, metadata=None)
    same(tmp_path / "a.TIFF", STACK)


def test_frames_outlive_the_file(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK)
    with open_frames(tmp_path / "a.tif") as frames:
        frame = frames[2]
    assert np.array_equal(frame, STACK[2])
    with pytest.raises(StorageError, match=r"a\.tif is closed: open it again"):
        frames[0]
    frames.close()


def test_there_is_no_such_frame():
    with pytest.raises(IndexError, match=r"5 frame.*no frame 5"):
        as_frames(STACK)[5]


@pytest.mark.parametrize(
    ("array", "how", "words"),
    [
        (STACK[:3], {"metadata": {"axes": "CYX"}}, r"axes CYX \(3, 20, 30\).*pick one channel"),
        (NOISE[None, :4], {"imagej": True, "metadata": {"axes": "ZCYX"}}, "axes CYX"),
        (np.stack([STACK, STACK]), {"metadata": {"axes": "TZYX"}}, r"axes TZYX.*either time"),
        (np.moveaxis(COLOUR[0], 2, 0), {"photometric": "rgb", "planarconfig": "separate"}, "axes SYX"),
    ],
)
def test_other_axes(tmp_path, array, how, words):
    tifffile.imwrite(tmp_path / "a.tif", array, **{"photometric": "minisblack"} | how)
    with pytest.raises(ImageError, match=words):
        open_frames(tmp_path / "a.tif")


def test_images_of_different_size_in_one_tiff(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(STACK[0])
        tiff.write(STACK[0, :10])
    with pytest.raises(ImageError, match=r"2 images of different layout .*\(10, 30\).*its own file"):
        open_frames(tmp_path / "a.tif")


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"imagej": True}, {"metadata": None}])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_tiff_cut_short(tmp_path, capfd, how, kept):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, NOISE, **how)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(StorageError, match=r"a\.tif cannot be read.*cut short"), open_frames(path) as frames:
        _ = [frame.sum() for frame in frames]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.npy"])
@pytest.mark.parametrize("content", [b"garbage, not an image" * 9, b"II*\0\x08\0\0\0", b"\x89PNG\r\n\x1a\n"])
def test_garbage(tmp_path, capfd, caplog, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StorageError, match=rf"{name} (cannot be read|holds no image).*damaged"):
        open_frames(tmp_path / name)
    assert capfd.readouterr().err == ""
    assert caplog.records == []


def test_a_page_broken_in_the_middle(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, NOISE, compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages[3].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[start : start + 30] = b"\xff" * 30
    path.write_bytes(content)
    with open_frames(path) as frames:
        assert np.array_equal(frames[2], NOISE[2])
        with pytest.raises(StorageError, match=r"a\.tif cannot be read at frame 3, page 3 of 5"):
            frames[3]
        assert np.array_equal(frames[4], NOISE[4])


@pytest.mark.skipif(find_spec("imagecodecs") is not None, reason="imagecodecs decodes it")
def test_compression_that_needs_another_package(tmp_path):
    Image.fromarray(STACK[0].astype(np.uint8)).save(tmp_path / "a.tif", compression="tiff_lzw")
    with open_frames(tmp_path / "a.tif") as frames, pytest.raises(StorageError, match=r"LZW.*imagecodecs"):
        frames[0]


@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.png"])
def test_empty_and_missing(tmp_path, name):
    with pytest.raises(StorageError, match="does not exist"):
        open_frames(tmp_path / name)
    (tmp_path / name).touch()
    with pytest.raises(StorageError, match=r"empty \(0 bytes\)"):
        open_frames(tmp_path / name)


def test_unknown_suffix(tmp_path):
    (tmp_path / "a.xyz").write_text("x")
    with pytest.raises(StorageError, match=r"'\.xyz'.*\.tif, \.tiff, \.png, \.jpg, \.jpeg, \.npy"):
        open_frames(tmp_path / "a.xyz")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_folder_in_the_order_of_numbers(tmp_path, suffix):
    order = [2, 10, 1, 33, 4]
    for number, frame in zip(order, STACK, strict=True):
        if suffix == ".png":
            Image.fromarray(frame).save(tmp_path / f"t{number}.png")
        else:
            tifffile.imwrite(tmp_path / f"t{number}.tif", frame)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._t1.png").write_text("left by a file manager")
    same(tmp_path, STACK[np.argsort(order)])


def test_folder_of_colour_pictures(tmp_path):
    for i, frame in enumerate(COLOUR):
        Image.fromarray(frame).save(tmp_path / f"{i}.png")
    same(tmp_path, COLOUR)


def test_folders_that_are_no_stack(tmp_path):
    with pytest.raises(StorageError, match=r"holds no image: put \.tif"):
        open_frames(tmp_path)
    tifffile.imwrite(tmp_path / "a1.tif", STACK[0])
    tifffile.imwrite(tmp_path / "a2.tif", STACK[0, :10])
    with pytest.raises(ImageError, match=r"a2\.tif is \(10, 30\) uint16, but a1\.tif is \(20, 30\) uint16"):
        open_frames(tmp_path)
    tifffile.imwrite(tmp_path / "a2.tif", STACK[0].astype(np.uint8))
    with pytest.raises(ImageError, match=r"a2\.tif is .* uint8, but a1\.tif"):
        open_frames(tmp_path)
    tifffile.imwrite(tmp_path / "a2.tif", STACK)
    with pytest.raises(ImageError, match=r"a2\.tif in .* is a stack of 5 frames"):
        open_frames(tmp_path)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (STACK[0], STACK[:1]),
        (STACK[0].astype(np.uint8), STACK[:1].astype(np.uint8)),
        (STACK[0] > 90, STACK[:1] > 90),
        (COLOUR[0], COLOUR[:1]),
        (np.dstack([COLOUR[0], COLOUR[0, :, :, 0]]), np.dstack([COLOUR[0], COLOUR[0, :, :, 0]])[None]),
    ],
)
def test_pictures(tmp_path, array, expected):
    Image.fromarray(array).save(tmp_path / "a.png")
    same(tmp_path / "a.png", expected)


def test_palettes_become_colour_and_jpeg_is_read(tmp_path):
    Image.fromarray(COLOUR[0]).convert("P").save(tmp_path / "a.png")
    assert open_frames(tmp_path / "a.png").shape == (1, 20, 30, 3)
    Image.fromarray(COLOUR[0]).save(tmp_path / "a.jpeg")
    assert open_frames(tmp_path / "a.jpeg")[0].shape == (20, 30, 3)


def test_a_picture_cut_short(tmp_path):
    Image.fromarray(NOISE[0]).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(StorageError, match=r"a\.png cannot be read"):
        open_frames(tmp_path / "a.png")[0]


def test_colour_png_of_sixteen_bits_is_refused(tmp_path):
    Image.fromarray(COLOUR[0]).save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[24] = 16
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"16 bits a colour.*save it as TIFF"):
        open_frames(tmp_path / "a.png")


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", STACK)
    same(tmp_path / "a.npy", STACK)
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content[:-100])
    with pytest.raises(StorageError, match=r"a\.npy cannot be read.*cut short"):
        open_frames(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(StorageError, match=r"b\.npy cannot be read"):
        open_frames(tmp_path / "b.npy")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((20, 30), (1, 20, 30)),
        ((20, 30, 3), (1, 20, 30, 3)),
        ((20, 30, 4), (1, 20, 30, 4)),
        ((4, 30, 3), (4, 30, 3)),
        ((20, 30, 5), (20, 30, 5)),
        ((2, 20, 30, 3), (2, 20, 30, 3)),
    ],
)
def test_arrays(shape, expected):
    array = np.arange(np.prod(shape)).reshape(shape)
    for source in (array, dask.array.from_array(array)):
        frames = as_frames(source)
        assert frames.shape == expected
        assert np.array_equal(np.stack(list(frames)), array.reshape(expected))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((2, 5, 5, 2)), r"colour \(T, H, W, 3 or 4\)"),
        (np.zeros((2, 2, 5, 5, 3)), "one plane"),
        (np.zeros((0, 5, 5)), "0 pixels"),
        (np.zeros((2, 5, 5), complex), "complex128"),
    ],
)
def test_arrays_that_are_no_frames(array, words):
    with pytest.raises(ImageError, match=words):
        as_frames(array)
