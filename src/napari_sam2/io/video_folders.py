"""Results as folders of pictures: DAVIS 2017 (Pont-Tuset et al. 2017) and SA-V (Ravi et al. 2024)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_sam2.errors import StorageError
from napari_sam2.imaging.overlay import color_of
from napari_sam2.io.output import whole_folder
from napari_sam2.io.results import Results

MOST = 254  # DAVIS: 8 bits, of which 255 means "do not count"
QUALITY = 95

_DAVIS = {"Annotations", "ImageSets", "JPEGImages", "provenance.json"}
_SAV = {"Annotations_6fps", "JPEGImages_24fps", "provenance.json", "videos.txt"}


def write_davis(results: Results, path: Path, overwrite: bool = False) -> None:
    """Write Annotations/480p/NAME/00000.png, one indexed picture a frame, and the frames as JPEGImages.

    Parameters
    ----------
    results
        Labels; where masks overlap, the layout has one of them.
    path, overwrite
        The folder; the video has its name, without an ending.

    Notes
    -----
    Objects keep their ids up to 254 and are numbered from 1 on otherwise; provenance.json says which is
    which. Frames are written where `results` has pictures.

    Raises
    ------
    StorageError
        More than 254 objects, or the folder cannot be written.
    """
    if len(results.objects) > MOST:
        raise StorageError(
            f"There are {len(results.objects)} objects, but the layout of DAVIS has numbers for {MOST}: "
            "export fewer, or another kind, such as sa-v."
        )
    fits = max(results.objects, default=0) <= MOST
    numbers = {one: one if fits else i for i, one in enumerate(sorted(results.objects), 1)}
    palette = [0, 0, 0]
    for number in range(1, 256):
        palette += [round(255 * c) for c in color_of(number)]
    known = np.array([0, *sorted(numbers)])
    written = np.array([0, *(numbers[one] for one in sorted(numbers))], np.uint8)
    with whole_folder(path, overwrite, is_davis) as folder:
        name = path.stem
        marks = folder / "Annotations" / "480p" / name
        marks.mkdir(parents=True)
        for t in range(len(results)):
            labels = results.labels_on(t)
            picture = Image.fromarray(written[np.searchsorted(known, labels)])
            picture.putpalette(palette)
            picture.save(marks / f"{t:05d}.png")
        _write_pictures(results, folder / "JPEGImages" / "480p" / name)
        sets = folder / "ImageSets" / "2017"
        sets.mkdir(parents=True)
        (sets / "val.txt").write_text(f"{name}\n", encoding="utf-8")
        _write_notes(results, folder, {str(one): number for one, number in numbers.items()})


def write_sav(results: Results, path: Path, overwrite: bool = False) -> None:
    """Write Annotations_6fps/NAME/000/00000.png, one picture for each object and frame, and JPEGImages_24fps.

    Parameters
    ----------
    results
        Masks that overlap stay whole.
    path, overwrite
        The folder; the video has its name, without an ending.

    Notes
    -----
    Every frame has its masks, not one in four. Objects are 000, 001, ... in the order of their ids;
    provenance.json says which is which. Frames are written where `results` has pictures.

    Raises
    ------
    StorageError
        The folder cannot be written.
    """
    with whole_folder(path, overwrite, is_sav) as folder:
        name = path.stem
        marks = folder / "Annotations_6fps" / name
        marks.mkdir(parents=True)
        places = {one: f"{i:03d}" for i, one in enumerate(sorted(results.objects))}
        for place in places.values():
            (marks / place).mkdir()
        nothing = np.zeros(results.shape[1:], bool)
        for t in range(len(results)):
            absent = set(places)
            for one, mask in results.masks_on(t):
                _write_mask(mask, marks / places[one] / f"{t:05d}.png")
                absent.discard(one)
            for one in absent:
                _write_mask(nothing, marks / places[one] / f"{t:05d}.png")
        _write_pictures(results, folder / "JPEGImages_24fps" / name)
        (folder / "videos.txt").write_text(f"{name}\n", encoding="utf-8")
        _write_notes(results, folder, {str(one): place for one, place in places.items()})


def is_davis(folder: Path) -> bool:
    """Whether there is nothing in a folder but what `write_davis` writes."""
    return {entry.name for entry in folder.iterdir()} <= _DAVIS


def is_sav(folder: Path) -> bool:
    """Whether there is nothing in a folder but what `write_sav` writes."""
    return {entry.name for entry in folder.iterdir()} <= _SAV


def _write_mask(mask: npt.NDArray[np.bool_], path: Path) -> None:
    Image.fromarray(mask.astype(np.uint8) * 255).convert("1").save(path)


def _write_pictures(results: Results, folder: Path) -> None:
    if results.picture is None:
        return
    folder.mkdir(parents=True)
    for t in range(len(results)):
        picture: npt.NDArray[Any] = np.asarray(results.picture(t))
        Image.fromarray(picture).save(folder / f"{t:05d}.jpg", quality=QUALITY)


def _write_notes(results: Results, folder: Path, places: dict[str, Any]) -> None:
    notes = {**results.notes, "places": places}
    (folder / "provenance.json").write_text(json.dumps(notes, indent=1), encoding="utf-8")
