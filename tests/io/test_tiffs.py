"""TIFF with every axis at once, and what ImageJ and OME write beside the pixels."""

import numpy as np
import pytest
import tifffile

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.frames import frames_of, open_frames
from napari_sam2.io.images import open_image
from napari_sam2.session.image import arrange

FULL = np.arange(2 * 3 * 2 * 20 * 30, dtype=np.uint16).reshape(2, 3, 2, 20, 30)
OME = {
    "axes": "TZCYX",
    "PhysicalSizeX": 0.5,
    "PhysicalSizeXUnit": "nm",
    "PhysicalSizeY": 0.25,
    "PhysicalSizeZ": 2,
    "TimeIncrement": 4,
    "TimeIncrementUnit": "min",
    "Channel": {"Name": ["DAPI", "GFP"]},
}


def full(path, **how):
    tifffile.imwrite(path, FULL, photometric="minisblack", **how)
    return path


@pytest.mark.parametrize(
    "how",
    [
        {"imagej": True, "metadata": {"axes": "TZCYX"}},
        {"ome": True, "metadata": {"axes": "TZCYX"}},
        {"ome": True, "compression": "zlib", "metadata": {"axes": "TZCYX"}},
        {"ome": True, "bigtiff": True, "tile": (16, 16), "metadata": {"axes": "TZCYX"}},
        {"metadata": {"axes": "TZCYX"}, "byteorder": ">"},
    ],
)
def test_every_axis_at_once(tmp_path, how):
    with open_image(full(tmp_path / "a.tif", **how)) as image:
        assert (image.axes, image.shape, image.dtype) == ("TZCYX", FULL.shape, np.dtype("u2"))
        assert np.array_equal(image.array, FULL)
        assert np.array_equal(image.array[1, :, 0, 3:9], FULL[1, :, 0, 3:9])
        assert np.array_equal(list(frames_of(image, at={"Z": 2}, channel=1)), FULL[:, 2, 1])
        arranged, along = arrange(image.array, image.axes, {"Z": 2, "C": 1})
        assert along == "T"
        assert np.array_equal([arranged[0], arranged[1]], FULL[:, 2, 1])
    with open_frames(tmp_path / "a.tif", along="Z", at={"T": 1}, channel="all") as frames:
        assert np.array_equal(list(frames), np.moveaxis(FULL[1], 1, -1))


def test_distances_of_imagej(tmp_path):
    how = {"axes": "TZCYX", "spacing": -2.5, "unit": "um", "finterval": 3}
    with open_image(full(tmp_path / "a.tif", imagej=True, resolution=(2, 4), metadata=how)) as image:
        found = {letter: (s.step, s.unit) for letter, s in image.spacing.items()}
    assert found == {"X": (0.5, "µm"), "Y": (0.25, "µm"), "Z": (2.5, "µm"), "T": (3, "s")}


def test_pixels_without_a_unit_have_no_distance(tmp_path):
    how = {"axes": "TZCYX", "unit": "pixel", "spacing": 1.0}
    with open_image(full(tmp_path / "a.tif", imagej=True, resolution=(1, 1), metadata=how)) as image:
        assert dict(image.spacing) == {}
    with open_image(full(tmp_path / "b.tif", metadata={"axes": "TZCYX"})) as image:
        assert dict(image.spacing) == {}


def test_distances_and_channels_of_ome(tmp_path):
    with open_image(full(tmp_path / "a.ome.tif", ome=True, metadata=OME)) as image:
        found = {letter: (s.step, s.unit) for letter, s in image.spacing.items()}
        assert found == {"X": (0.5, "nm"), "Y": (0.25, "µm"), "Z": (2, "µm"), "T": (4, "min")}
        assert image.channels == ("DAPI", "GFP")
        assert np.array_equal(frames_of(image, at={"Z": 0}, channel="GFP")[1], FULL[1, 0, 1])


def test_levels_of_a_pyramid(tmp_path):
    stack = np.arange(5 * 64 * 64, dtype=np.uint16).reshape(5, 64, 64)
    how = {"photometric": "minisblack", "tile": (16, 16), "compression": "zlib"}
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tiff:
        tiff.write(stack, subifds=1, metadata={"axes": "TYX", "PhysicalSizeX": 0.5}, **how)
        tiff.write(stack[:, ::2, ::2], subfiletype=1, **how)
    for level, step in enumerate((1, 2)):
        with open_image(tmp_path / "a.ome.tif", level=level) as image:
            assert image.levels == ((5, 64, 64), (5, 32, 32))
            assert image.level == level
            assert image.spacing["X"].step == 0.5 * step
            assert np.array_equal(image.array, stack[:, ::step, ::step])
    with pytest.raises(ImageError, match=r"no level 2: choose one from 0 .* to 1"):
        open_frames(tmp_path / "a.ome.tif", level=2)


def test_axes_given_by_hand_win(tmp_path):
    with open_image(full(tmp_path / "a.tif", metadata={"axes": "TZCYX"}), axes="ZTCYX") as image:
        assert (image.axes, image.size("Z"), image.size("T")) == ("ZTCYX", 2, 3)
    tifffile.imwrite(tmp_path / "b.tif", FULL[0, :, 0], photometric="minisblack", metadata={"axes": "CYX"})
    with open_frames(tmp_path / "b.tif", axes="TYX") as frames:
        assert np.array_equal(list(frames), FULL[0, :, 0])
    with pytest.raises(ImageError, match=r"3 axes, CYX \(3, 20, 30\), but axes='TZYX' names 4"):
        open_frames(tmp_path / "b.tif", axes="TZYX")


def test_pages_of_which_nothing_is_known_follow_each_other_in_time(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", FULL[:, :, 0], photometric="minisblack", metadata=None)
    with open_image(tmp_path / "a.tif") as image:
        assert image.axes == "TYX"
        assert np.array_equal(image.array, FULL[:, :, 0].reshape(6, 20, 30))
    with open_image(tmp_path / "a.tif", axes="ZYX") as image:
        assert image.axes == "ZYX"


def ome_with(pages, frames, described):
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="30" '
        f'SizeY="20" SizeZ="1" SizeC="1" SizeT="{frames}">'
        + "".join(f'<TiffData IFD="{i}" FirstT="{t}" PlaneCount="1"/>' for i, t in enumerate(described))
        + "</Pixels></Image></OME>"
    )


@pytest.mark.parametrize(
    ("described", "missing"), [((0, 1, 3), {2, 4}), ((1, 2, 3), {0, 4}), ((0, 1, 2, 3, 4), {3, 4})]
)
def test_pages_that_ome_promises_and_the_file_lacks(tmp_path, capfd, caplog, described, missing):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tiff:
        for i in range(3):
            description = ome_with(3, 5, described) if i == 0 else None
            tiff.write(FULL[0, i, 0], contiguous=False, description=description, metadata=None)
    with open_frames(tmp_path / "a.ome.tif") as frames:
        assert frames.shape == (5, 20, 30)
        for t in range(5):
            if t in missing:
                with pytest.raises(StorageError, match=rf"at frame {t}, page {t} of 5 .*missing"):
                    frames[t]
            else:
                assert np.array_equal(frames[t], FULL[0, described.index(t), 0])
    assert capfd.readouterr().err == ""
    assert caplog.records == []


def test_a_page_is_named_by_all_its_axes(tmp_path):
    path = full(tmp_path / "a.tif", metadata={"axes": "TZCYX"}, compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages[9].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[start : start + 30] = b"\xff" * 30
    path.write_bytes(content)
    with (
        open_frames(path, at={"Z": 1}, channel=1) as frames,
        pytest.raises(StorageError, match="at T = 1, Z = 1, C = 1, page 9 of 12"),
    ):
        frames[1]


def test_pages_that_imagej_promises_and_the_file_lacks(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", FULL[0, :, 0], imagej=True, metadata={"axes": "TYX"})
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(
        content.replace(b"images=3", b"images=9").replace(b"frames=3", b"frames=9")
    )
    with pytest.raises(StorageError, match=r"a\.tif cannot be read .*ImageJ"):
        open_frames(tmp_path / "a.tif")


def test_a_file_that_shrinks_while_it_is_open(tmp_path):
    path = full(tmp_path / "a.tif", metadata={"axes": "TZCYX"})
    with open_image(path) as image:
        path.write_bytes(path.read_bytes()[:5000])
        assert image.array[0, 0, 0].any()
        with pytest.raises(StorageError, match=r"at plane 11 \(0 of 600 pixels are there\)"):
            image.array[1, 2, 1]


def test_a_volumetric_page_is_decoded_once_for_all_its_slices(tmp_path, monkeypatch):
    how = {"volumetric": True, "tile": (16, 16, 16), "compression": "zlib"}
    tifffile.imwrite(
        tmp_path / "a.tif", FULL[:, :, 0], photometric="minisblack", metadata={"axes": "TZYX"}, **how
    )
    decoded = []
    real = tifffile.TiffPage.asarray
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda page: (decoded.append(page), real(page))[1])
    monkeypatch.setattr(tifffile.TiffFrame, "asarray", lambda page: (decoded.append(page), real(page))[1])
    with open_frames(tmp_path / "a.tif", at={"T": 1}) as frames:
        assert np.array_equal(list(frames), FULL[1, :, 0])
    assert len(decoded) == 1


def test_slices_in_a_folder_are_along_z(tmp_path):
    for z in range(3):
        tifffile.imwrite(tmp_path / f"cells_z{z:03}.tif", FULL[0, z, 0])
    with open_image(tmp_path) as image:
        assert (image.axes, image.shape) == ("ZYX", (3, 20, 30))
    with open_image(tmp_path, axes="TYX") as image:
        assert image.axes == "TYX"
    tifffile.imwrite(tmp_path / "other.tif", FULL[0, 0, 0])
    with open_image(tmp_path) as image:
        assert image.axes == "TYX"
