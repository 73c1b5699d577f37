"""The same movie as a file of every kind, written by the libraries that the field uses."""

from pathlib import Path

import av
import nibabel
import nrrd
import numpy as np
import tifffile
import zarr
from PIL import Image

AXES = {"t": ("time", "second"), "z": ("space", "micrometer"), "c": ("channel", None)}


def ome_zarr(
    path: Path,
    array: np.ndarray,
    axes: str,
    zarr_format: int = 3,
    levels: int = 1,
    names: tuple[str, ...] = (),
) -> Path:
    """Write OME-Zarr 0.4 (zarr 2) or 0.5 (zarr 3); steps of 5 s, 2 µm in depth and 0.5 µm aside."""
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    steps = {"t": 5.0, "z": 2.0, "c": 1.0, "y": 0.5, "x": 0.5}
    described, datasets = [], []
    for axis in axes.lower():
        kind, unit = AXES.get(axis, ("space", "micrometer"))
        described.append({"name": axis, "type": kind} | ({"unit": unit} if unit else {}))
    for level in range(levels):
        small = array[..., :: 2**level, :: 2**level]
        zarr_array(path / str(level), small, zarr_format, names=axes.lower() if zarr_format == 3 else None)
        scale = [steps[axis] * (2**level if axis in "yx" else 1) for axis in axes.lower()]
        datasets.append(
            {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        )
    image = {"multiscales": [{"version": "0.4", "axes": described, "datasets": datasets}]}
    if names:
        image["omero"] = {"channels": [{"label": name} for name in names]}
    group.attrs.update({"ome": {"version": "0.5", **image}} if zarr_format == 3 else image)
    return path


def zarr_array(
    path: Path, array: np.ndarray, zarr_format: int = 3, names: str | None = None, **more: object
) -> Path:
    made = zarr.create_array(
        path,
        shape=array.shape,
        dtype=array.dtype,
        chunks=(*(1 for _ in array.shape[:-2]), 32, 32),
        zarr_format=zarr_format,
        dimension_names=list(names) if names else None,
        config={"write_empty_chunks": True},
        **more,
    )
    made[...] = array
    return path


def video(path: Path, frames: np.ndarray, codec: str = "ffv1", pixels: str = "gray", **options: str) -> Path:
    """Write (T, H, W) or (T, H, W, 3) of uint8, 25 a second; ffv1, png, and libx264rgb at qp=0, are exact."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], pixels
        stream.codec_context.gop_size = 7
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="gray" if frame.ndim == 2 else "rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def one_of_each_kind(folder: Path, movie: np.ndarray) -> dict[str, Path]:
    """Write a movie (T, H, W) of uint8 in every way that keeps each pixel."""
    made = {}
    for name, how in {
        "plain.tif": {"metadata": {"axes": "TYX"}},
        "imagej.tif": {"imagej": True, "metadata": {"axes": "TYX"}},
        "small.ome.tif": {"ome": True, "compression": "zlib", "tile": (32, 32), "metadata": {"axes": "TYX"}},
    }.items():
        tifffile.imwrite(folder / name, movie, photometric="minisblack", **how)
        made[name] = folder / name
    (folder / "pictures").mkdir()
    for i, frame in enumerate(movie):
        Image.fromarray(frame).save(folder / "pictures" / f"t{i}.png")
    made["pictures"] = folder / "pictures"
    np.save(folder / "a.npy", movie)
    made["a.npy"] = folder / "a.npy"
    for v in (2, 3):
        made[f"plain{v}.zarr"] = zarr_array(folder / f"plain{v}.zarr", movie, v)
        made[f"ome{v}.zarr"] = ome_zarr(folder / f"ome{v}.zarr", movie, "TYX", v, levels=2)
    for name, codec in {"a.mkv": "ffv1", "a.avi": "ffv1", "a.mov": "png"}.items():
        made[name] = video(folder / name, movie, codec)
    gray_as_colour = np.stack([movie] * 3, axis=-1)
    made["a.mp4"] = video(folder / "a.mp4", gray_as_colour, "libx264rgb", "rgb24", qp="0")
    for name in ("a.nii", "a.nii.gz"):
        # Time is the fourth axis of NIfTI, so that there is a slice.
        nibabel.save(nibabel.Nifti1Image(movie[:, None].T.copy(), np.eye(4)), folder / name)
        made[name] = folder / name
    for encoding in ("raw", "gzip"):
        name = f"{encoding}.nrrd"
        nrrd.write(str(folder / name), movie.T, {"encoding": encoding, "kinds": ["space", "space", "time"]})
        made[name] = folder / name
    return made
