"""Results as COCO annotations (Lin et al. 2014): one run-length coded mask for each object and frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.io.output import whole_file
from napari_sam2.io.results import Results
from napari_sam2.io.run_length import encode_mask

_ANY = "object"


def write_coco(results: Results, path: Path, overwrite: bool = False) -> None:
    """Write one JSON file, annotation by annotation.

    Parameters
    ----------
    results
        Masks that overlap stay whole.
    path, overwrite
        A .json file.

    Notes
    -----
    Frame t is the image t + 1, called 00000.jpg and so on, as in the folders of `write_davis` and
    `write_sav`. ``track_id`` is the object, ``score`` its confidence. The provenance is in ``info``. The
    categories are the classes of the objects in the order of the alphabet; objects without one are of the
    category "object", the first where there are any.
    """
    length, height, width = results.shape
    info: dict[str, Any] = {
        "description": "Objects through time" if results.frame_axis == "T" else "Objects through depth",
        "version": "1.0",
        "provenance": results.notes,
    }
    images = [
        {"id": t + 1, "file_name": f"{t:05d}.jpg", "height": height, "width": width, "frame_index": t}
        for t in range(length)
    ]
    categories = _categories(results)
    listed = [{"id": at, "name": name, "supercategory": _ANY} for name, at in categories.items()]
    with whole_file(path, overwrite) as partial, partial.open("w", encoding="utf-8") as file:
        file.write('{"info": ' + json.dumps(info))
        file.write(',\n"licenses": [],\n"images": ' + json.dumps(images))
        file.write(',\n"categories": ' + json.dumps(listed))
        file.write(',\n"annotations": [')
        count = 0
        for t in range(length):
            trusted = results.confidence_on(t)
            for number, mask in results.masks_on(t):
                rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                y, x = int(rows[0]), int(columns[0])
                annotation = {
                    "id": count + 1,
                    "image_id": t + 1,
                    "category_id": categories[results.class_of(number) or _ANY],
                    "track_id": number,
                    "segmentation": encode_mask(mask),
                    "area": int(mask.sum()),
                    "bbox": [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y],
                    "iscrowd": 0,
                }
                if number in trusted:
                    annotation["score"] = float(trusted[number])
                file.write((",\n" if count else "\n") + json.dumps(annotation))
                count += 1
        file.write("\n]}\n")


def _categories(results: Results) -> dict[str, int]:
    """The number of each category, from 1 on; a file without objects has the category of any object."""
    found = {results.class_of(number) or _ANY for number in results.objects} or {_ANY}
    ordered = sorted(found, key=lambda name: (name != _ANY, name))
    return {name: at for at, name in enumerate(ordered, 1)}
