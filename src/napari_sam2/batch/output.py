"""What a finished sequence leaves behind: its output, a picture, and a line of the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from napari_sam2.batch.codec import prompt_to_json
from napari_sam2.batch.finished import Finished
from napari_sam2.batch.job import Job, Part
from napari_sam2.batch.outcome import Outcome, Status
from napari_sam2.batch.reading import Opened
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.imaging.overlay import Picture, contact_sheet, overlay
from napari_sam2.io.export import check_export, export_results
from napari_sam2.io.output import failure, whole_file
from napari_sam2.io.results import Results

_SIDE = 160
_SHOWN = 3


def write_output(
    job: Job, parts: Sequence[Part], source: Opened, intensity: IntensityMap, sha256: str
) -> Outcome:
    """Write what was found in a sequence whose parts are finished.

    Parameters
    ----------
    source, intensity
        The image, and how it is seen.
    sha256
        Of the network's weights.

    Returns
    -------
    Outcome
        What the journals tell of the sequence.

    Raises
    ------
    StorageError
        The output is in the way or cannot be written, or it cannot hold the results.
    """
    frames = source.frames
    height, width = frames.shape[1:3]
    shape = (len(frames), height, width)
    with Finished(job, parts, shape) as finished:
        results = Results(
            shape,
            {i: job.sequence.names.get(i, f"Object {i}") for i in sorted(finished.objects)},
            labels=finished.labels,
            masks=finished.masks,
            confidence=finished.confidence,
            image=lambda frame: frames[frame],
            picture=lambda frame: _eight_bits(intensity(frames[frame])),
            parents={birth.daughter: birth.mother for birth in job.sequence.births},
            frame_axis=source.frame_axis,
            spacing=source.spacing,
            unit=source.unit,
            frame_unit=source.frame_unit,
            provenance=provenance(job, sha256),
        )
        _export(results, job)
        _draw(finished, frames, intensity, job.thumbnail)
        scores = [score for frame in range(len(frames)) for score in finished.confidence(frame).values()]
        return Outcome(
            job.name,
            str(job.sequence.image),
            str(job.sequence.output),
            Status.DONE,
            frames=len(frames),
            objects=len(finished.objects),
            confidence=float(np.mean(scores)) if scores else 0.0,
            visits=finished.visits,
        )


def provenance(job: Job, sha256: str) -> dict[str, Any]:
    """Return what an output says about its making."""
    import napari_sam2

    sequence, settings = job.sequence, job.settings
    labels = sequence.labels
    return {
        "software": f"napari-sam2 {napari_sam2.__version__}",
        "torch": str(torch.__version__),
        "command": "batch",
        "image": sequence.image.name,
        "model": settings.model,
        "weights": sha256,
        "policy": repr(settings.policy),
        "way": settings.way.value,
        "cut": repr(settings.cut),
        "reading": repr(settings.reading),
        "labels": None if labels is None else {"file": labels.path.name, "frame": labels.frame},
        "prompts": [_without_pixels(prompt_to_json(one)) for one in sequence.prompts],
    }


def _without_pixels(prompt: dict[str, Any]) -> dict[str, Any]:
    return prompt | {"mask": "painted"} if "mask" in prompt else prompt


def _export(results: Results, job: Job) -> None:
    output = job.sequence.output
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(output.parent, error) from error
    overwrite = job.overwrite or job.owns_output()
    kind = check_export(output, job.settings.kind, overwrite)
    with whole_file(job.intent, overwrite=True) as partial:
        partial.write_text(json.dumps({"fingerprint": job.fingerprint()}), encoding="utf-8")
    export_results(results, output, kind, overwrite)


def _draw(finished: Finished, frames: Any, intensity: IntensityMap, path: Path) -> None:
    """Write a picture of the first, the middle and the last frame, small and side by side."""
    last = len(frames) - 1
    shown = sorted({last * i // (_SHOWN - 1) for i in range(_SHOWN)})
    step = -(-max(finished.shape[1:]) // _SIDE)
    pictures: list[Picture] = [
        overlay(intensity(frames[frame])[::step, ::step], finished.labels(frame)[::step, ::step])
        for frame in shown
    ]
    with whole_file(path, overwrite=True) as partial:
        Image.fromarray(contact_sheet(pictures, _SHOWN)).save(partial, "png")


def _eight_bits(picture: Any) -> Picture:
    eight: Picture = np.round(picture * 255).astype(np.uint8)
    return eight
