"""An OME-Zarr image that labels are put into: its axes, levels and list of labels."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_sam2.errors import StorageError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OmeZarrImage:
    """What labels have to agree with.

    Attributes
    ----------
    path
        The image's folder.
    version
        "0.4" or "0.5".
    names
        Of the axes.
    shapes
        Of each level, the finest first.
    multiscale
        The metadata of axes and levels, as far as they hold for labels, too.
    """

    path: Path
    version: str
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    multiscale: Json

    def make_labels(self) -> bool:
        """Make the group of labels, unless it is there; whether it was made."""
        import zarr

        if (self.path / "labels").exists():
            return False
        zarr.create_group(
            self.path / "labels",
            zarr_format=3 if self.version == "0.5" else 2,
            attributes={"ome": {"version": "0.5", "labels": []}} if self.version == "0.5" else {"labels": []},
        )
        return True

    def list_labels(self, name: str) -> None:
        """Add a name to the list of labels, if it is not there."""
        import zarr

        group = zarr.open_group(self.path / "labels", mode="r+", use_consolidated=False)
        known: Json = dict(group.attrs.asdict())
        said: Json = known.setdefault("ome", {"version": "0.5"}) if self.version == "0.5" else known
        if name not in said.setdefault("labels", []):
            said["labels"] = [*said["labels"], name]
            group.update_attributes(known)
        if _consolidated(self.path):
            # Whoever reads the summary instead of the groups themselves would not find the labels.
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
                zarr.consolidate_metadata(self.path)


def image_around(path: Path) -> OmeZarrImage | None:
    """Return the image whose labels are to be at `path`, IMAGE/labels/NAME; None where there is none.

    Raises
    ------
    StorageError
        There is one, but it is damaged or of a version that is not known here.
    """
    import zarr

    root = path.parent.parent
    if path.parent.name != "labels" or not (root / "zarr.json").exists() | (root / ".zattrs").exists():
        return None
    said = attributes(root)
    try:
        version = str(said.get("version") or said["multiscales"][0]["version"])
        first = said["multiscales"][0]
        names = tuple(str(axis["name"]) for axis in first["axes"])
        group = zarr.open_group(root, mode="r", use_consolidated=False)
        shapes = tuple(tuple(group[level["path"]].shape) for level in first["datasets"])  # type: ignore[union-attr]
        if not {"y", "x"} <= set(names) or any(len(shape) != len(names) for shape in shapes) or not shapes:
            raise ValueError(f"axes {names} and sizes {shapes}")
    except (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise StorageError(f"{root} is no OME-Zarr image that labels can go into ({error!r}).") from error
    if version not in ("0.4", "0.5"):
        raise StorageError(
            f"{root.name} is OME-Zarr {version}, but labels can go into 0.4 and 0.5: write them by "
            "themselves."
        )
    kept = {key: first[key] for key in ("axes", "datasets", "coordinateTransformations") if key in first}
    return OmeZarrImage(root, version, names, shapes, kept)


def attributes(folder: Path) -> Json:
    """Return what an OME-Zarr group says of itself, whatever its version; empty where it is none."""
    try:
        if (folder / "zarr.json").exists():
            whole = json.loads((folder / "zarr.json").read_text(encoding="utf-8"))
            return dict(whole["attributes"]["ome"])
        return dict(json.loads((folder / ".zattrs").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _consolidated(root: Path) -> bool:
    if (root / ".zmetadata").exists():
        return True
    file = root / "zarr.json"
    return file.exists() and bool(json.loads(file.read_text(encoding="utf-8")).get("consolidated_metadata"))
