"""A session's objects as they are written to files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.embeddings import FrameSource
from napari_sam2.io.results import Results
from napari_sam2.session.codec import value_to_json
from napari_sam2.session.confidence import confidences
from napari_sam2.session.document import Document, runs_of
from napari_sam2.session.labels import flatten


def results_of(
    document: Document,
    frames: FrameSource,
    intensity: Callable[[], IntensityMap],
    frame_axis: str,
    spacing: tuple[float, ...] | None,
    provenance: Mapping[str, Any],
) -> Results:
    """Return what a session holds now; what is changed later does not change it.

    Parameters
    ----------
    document
        Objects, prompts and masks; hidden objects are left out.
    frames, intensity
        The image, and how it is looked at.
    frame_axis, spacing
        T or Z, and the distance of frames, rows and columns.
    provenance
        Of the session; the prompts are added.
    """
    seen = _copy(document)
    height, width = frames.shape[1:3]
    trusted = {
        number: {
            at: one.value for at, one in confidences(seen.masks_of(number), seen.prompts_of(number)).items()
        }
        for number in seen.objects
    }

    def masks(frame: int) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
        for number in sorted(seen.objects):
            mask = seen.masks_of(number).get(frame)
            if mask is not None:
                yield number, mask.runs.decode()

    def confidence(frame: int) -> dict[int, float]:
        return {number: values[frame] for number, values in trusted.items() if frame in values}

    def picture(frame: int) -> np.ndarray[Any, Any]:
        return np.round(intensity()(frames[frame]) * 255).astype(np.uint8)

    return Results(
        (len(frames), height, width),
        {number: row.name for number, row in sorted(seen.objects.items())},
        labels=lambda frame: flatten(seen, frame, (height, width)),
        masks=masks,
        confidence=confidence,
        image=lambda frame: np.asarray(frames[frame]),
        picture=picture,
        classes={number: row.label_class for number, row in seen.objects.items()},
        parents={child: division.mother for child, division in seen.divisions.items()},
        frame_axis=frame_axis,
        spacing=None if spacing is None else (1.0, 1.0, *spacing)[-3:],
        provenance={**provenance, "prompts": _prompts(seen)},
    )


def _copy(document: Document) -> Document:
    # Another thread may be adding to the tables; what stands in them is never changed.
    shown = {number: row for number, row in list(document.objects.items()) if not row.hidden}
    return Document(
        shown,
        dict(document.divisions),
        {number: dict(document.prompts_of(number)) for number in shown},
        {number: dict(document.masks_of(number)) for number in shown},
    )


def _prompts(document: Document) -> list[dict[str, Any]]:
    """Return every prompt as JSON; of a painted mask its size, since the mask itself is in the results."""
    listed = []
    for number in document.objects:
        for frame, prompt in sorted(document.prompts_of(number).items()):
            code = value_to_json(prompt) or {}
            runs = runs_of(prompt)
            said = {
                "clicks": code["clicks"],
                "box": code["box"],
                "painted_pixels": runs.area if runs else None,
            }
            listed.append({"object": number, "frame": frame, **said})
    return listed
