"""The formats that results are written in."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from napari_sam2.errors import StorageError


class ExportKind(Enum):
    """A format, by the name that it has on the command line."""

    TIFF = "tiff"
    NPY = "npy"
    OME_ZARR = "ome-zarr"
    OME_ZARR_04 = "ome-zarr-0.4"
    CELL_TRACKING = "ctc"
    COCO = "coco"
    SAV = "sa-v"
    DAVIS = "davis"
    GEFF = "geff"
    TRACKS = "tracks"
    MEASUREMENTS = "measurements"

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What names of this kind end in, the usual one first; none where a folder may be called anything."""
        return _SUFFIXES.get(self, ())

    @property
    def describes(self) -> str:
        """One line for the user."""
        return _DESCRIPTIONS[self]

    @classmethod
    def of(cls, path: Path) -> ExportKind:
        """Return the kind that a path asks for by its name.

        Raises
        ------
        StorageError
            The name says nothing.
        """
        suffix = path.suffix.lower()
        around = path.parent.parent
        if path.parent.name == "labels" and (
            (around / "zarr.json").exists() or (around / ".zattrs").exists()
        ):
            return cls.OME_ZARR
        if path.name.upper().endswith("_RES"):
            return cls.CELL_TRACKING
        if path.stem.lower().split(".")[-1].endswith("tracks") and suffix == ".csv":
            return cls.TRACKS
        for kind in (cls.TIFF, cls.NPY, cls.OME_ZARR, cls.COCO, cls.GEFF, cls.MEASUREMENTS):
            if suffix in kind.suffixes:
                return kind
        raise StorageError(
            f"{path.name} does not say in which format to write: give it one of the endings "
            f"{', '.join(sorted({end for ends in _SUFFIXES.values() for end in ends}))}, or say which kind, "
            f"one of {', '.join(kind.value for kind in cls)}."
        )

    @classmethod
    def named(cls, kind: ExportKind | str | None) -> ExportKind | None:
        """Return the kind of a name; None stays None.

        Raises
        ------
        StorageError
            There is no kind of that name.
        """
        if kind is None or isinstance(kind, cls):
            return kind
        try:
            return cls(kind)
        except ValueError as error:
            raise StorageError(
                f"There is no kind {kind!r} of export: choose one of {', '.join(one.value for one in cls)}."
            ) from error

    def check(self, path: Path) -> None:
        """Raise StorageError where a name does not fit the kind."""
        if self.suffixes and path.suffix.lower() not in self.suffixes and not _in_an_image(self, path):
            raise StorageError(
                f"{path.name} is to be written as {self.value}, which ends in {' or '.join(self.suffixes)}: "
                "choose such a name, or another kind."
            )


def _in_an_image(kind: ExportKind, path: Path) -> bool:
    return kind in (ExportKind.OME_ZARR, ExportKind.OME_ZARR_04) and path.parent.name == "labels"


_SUFFIXES = {
    ExportKind.TIFF: (".tif", ".tiff"),
    ExportKind.NPY: (".npy",),
    ExportKind.OME_ZARR: (".zarr",),
    ExportKind.OME_ZARR_04: (".zarr",),
    ExportKind.COCO: (".json",),
    ExportKind.GEFF: (".geff",),
    ExportKind.TRACKS: (".csv",),
    ExportKind.MEASUREMENTS: (".csv",),
}
_DESCRIPTIONS = {
    ExportKind.TIFF: "label image, TIFF",
    ExportKind.NPY: "label image, numpy",
    ExportKind.OME_ZARR: "label image, OME-Zarr 0.5 (within an image: of its version)",
    ExportKind.OME_ZARR_04: "label image, OME-Zarr 0.4",
    ExportKind.CELL_TRACKING: "result folder of the Cell Tracking Challenge, with lineage",
    ExportKind.COCO: "COCO annotations, one mask for each object and frame",
    ExportKind.SAV: "folder in the layout of SA-V: one picture for each object and frame",
    ExportKind.DAVIS: "folder in the layout of DAVIS 2017: one indexed picture for each frame",
    ExportKind.GEFF: "GEFF graph of places and links",
    ExportKind.TRACKS: "table of tracks as napari has them, with mothers",
    ExportKind.MEASUREMENTS: "table of area, place, intensity and confidence",
}
