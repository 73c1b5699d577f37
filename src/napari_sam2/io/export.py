"""One door to all formats that results are written in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_sam2.io.cell_tracking_results import is_cell_tracking, write_cell_tracking
from napari_sam2.io.coco import write_coco
from napari_sam2.io.export_kind import ExportKind
from napari_sam2.io.geff_graph import is_geff, write_geff
from napari_sam2.io.labels import LabelWriter
from napari_sam2.io.ome_zarr import is_label_image, write_ome_zarr
from napari_sam2.io.ome_zarr_image import image_around
from napari_sam2.io.output import check_file, check_folder
from napari_sam2.io.results import Results
from napari_sam2.io.tables import check_table, write_measurements, write_tracks
from napari_sam2.io.video_folders import is_davis, is_sav, write_davis, write_sav

Writer = Callable[[Results, Path, bool], None]


def export_results(
    results: Results,
    path: str | Path,
    kind: ExportKind | None = None,
    overwrite: bool = False,
    on_frame: Callable[[int], None] | None = None,
) -> Path:
    """Write results in a format that other tools read.

    Parameters
    ----------
    results
        What to write; its frames are asked for one after another.
    path
        The file or folder. It appears whole or not at all.
    kind
        The format; by default what `ExportKind.of` makes of the path.
    overwrite
        Whether what is there may be replaced. A folder that holds anything but such an export never is.
    on_frame
        Is told the number of each frame before it is asked for; an exception from it stops, and nothing is
        written.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    StorageError
        The name does not say or does not fit the format, something is in the way, it cannot be written, or
        the format cannot hold the results.
    ImageError
        The results contradict themselves.
    """
    path = Path(path)
    kind = check_export(path, kind, overwrite)
    _WRITERS[kind](results if on_frame is None else _watched(results, on_frame), path, overwrite)
    return path


def check_export(path: str | Path, kind: ExportKind | None = None, overwrite: bool = False) -> ExportKind:
    """Return the format that results would be written in, before there are any.

    Raises
    ------
    StorageError
        As `export_results`, as far as the path tells.
    """
    path = Path(path)
    kind = kind or ExportKind.of(path)
    kind.check(path)
    if kind in _FOLDERS:
        # Within an image the group of labels is made when it is missing.
        if path.parent.exists() or image_around(path) is None:
            check_folder(path, overwrite, _FOLDERS[kind])
    elif kind in (ExportKind.TRACKS, ExportKind.MEASUREMENTS):
        check_table(path, overwrite)
    else:
        check_file(path, overwrite)
    return kind


def _write_labels(results: Results, path: Path, overwrite: bool) -> None:
    notes = None if path.suffix.lower() == ".npy" else results.notes
    with LabelWriter(path, results.shape, overwrite, provenance=notes) as writer:
        for frame in range(len(results)):
            writer[frame] = results.labels_on(frame)


def _write_ome_zarr_04(results: Results, path: Path, overwrite: bool) -> None:
    write_ome_zarr(results, path, overwrite, "0.4")


def _watched(results: Results, on_frame: Callable[[int], None]) -> Results:
    masks = results.masks

    def labels(frame: int) -> Any:
        on_frame(frame)
        return results.labels(frame)

    def watched_masks(frame: int) -> Iterable[tuple[int, Any]]:
        on_frame(frame)
        return () if masks is None else masks(frame)

    return replace(results, labels=labels, masks=None if masks is None else watched_masks)


_WRITERS: dict[ExportKind, Writer] = {
    ExportKind.TIFF: _write_labels,
    ExportKind.NPY: _write_labels,
    ExportKind.OME_ZARR: write_ome_zarr,
    ExportKind.OME_ZARR_04: _write_ome_zarr_04,
    ExportKind.CELL_TRACKING: write_cell_tracking,
    ExportKind.COCO: write_coco,
    ExportKind.SAV: write_sav,
    ExportKind.DAVIS: write_davis,
    ExportKind.GEFF: write_geff,
    ExportKind.TRACKS: write_tracks,
    ExportKind.MEASUREMENTS: write_measurements,
}
_FOLDERS: dict[ExportKind, Callable[[Path], bool]] = {
    ExportKind.OME_ZARR: is_label_image,
    ExportKind.OME_ZARR_04: is_label_image,
    ExportKind.CELL_TRACKING: is_cell_tracking,
    ExportKind.SAV: is_sav,
    ExportKind.DAVIS: is_davis,
    ExportKind.GEFF: is_geff,
}
