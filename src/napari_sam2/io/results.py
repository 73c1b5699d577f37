"""What is written of a segmentation: its pixels frame by frame, and what is known of its objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.provenance import plain

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """Objects through time or depth. Pixels are asked for frame by frame and never held.

    Parameters
    ----------
    shape
        (T, H, W).
    objects
        Ids, whole numbers from 1, and what the user calls them.
    labels
        Returns a frame's labels, whole numbers (H, W): an id, or 0.
    masks
        Yields a frame's objects and masks, bool (H, W), which may overlap, in the order of ids; by default
        they come from the labels.
    confidence
        Returns how far each object of a frame can be trusted, 0 to 1.
    image
        Returns a frame as it was recorded, (H, W) or (H, W, C); intensities are measured in it.
    picture
        Returns a frame as it looks, uint8 (H, W, 3).
    parents
        Mother of each daughter. What is not among `objects` is left out.
    classes
        What objects are, such as "mitotic", by id; empty or left out where nobody said.
    frame_axis
        T or Z: what frames follow each other along.
    spacing
        Distance of frames, rows and columns.
    unit, frame_unit
        Of the distance of pixels, as in "micrometer"; and of frames, as in "second".
    provenance
        How the results came about.

    Raises
    ------
    ImageError
        Shape, ids, spacing or axis make no sense.
    StorageError
        The provenance cannot be stored.
    """

    shape: tuple[int, int, int]
    objects: Mapping[int, str]
    labels: Callable[[int], Array]
    masks: Callable[[int], Iterable[tuple[int, Array]]] | None = None
    confidence: Callable[[int], Mapping[int, float]] | None = None
    image: Callable[[int], Array] | None = None
    picture: Callable[[int], Array] | None = None
    parents: Mapping[int, int] = field(default_factory=dict)
    classes: Mapping[int, str] = field(default_factory=dict)
    frame_axis: str = "T"
    spacing: tuple[float, ...] | None = None
    unit: str | None = None
    frame_unit: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ImageError(f"Results have the shape (T, H, W), each at least 1, got {self.shape}.")
        if any(not 1 <= number < 2**32 for number in self.objects):
            raise ImageError(f"Object ids are whole numbers from 1 to {2**32 - 1}, got {min(self.objects)}.")
        if self.frame_axis not in ("T", "Z"):
            raise ImageError(f"Frames follow each other along T or Z, got {self.frame_axis!r}.")
        if self.spacing is not None and (len(self.spacing) != 3 or min(self.spacing) <= 0):
            raise ImageError(
                "Spacing is the distance of frames, rows and columns, three positive numbers, got "
                f"{self.spacing}."
            )
        plain(self.provenance)

    @classmethod
    def of_labels(cls, labels: Sequence[Array] | Array, **more: Any) -> Results:
        """Return the results that a stack of labels (T, H, W) holds; each frame is looked at once.

        Parameters
        ----------
        labels
            Frames of whole numbers (H, W), by number; an array, also a lazy one, or a sequence.
        **more
            As for `Results`.
        """
        shape = (len(labels), *np.asarray(labels[0]).shape)
        if len(shape) != 3:
            raise ImageError(f"A stack of labels has shape (T, H, W), got {shape}.")
        if "objects" not in more:
            found = {int(n) for t in range(len(labels)) for n in np.unique(np.asarray(labels[t])) if n != 0}
            more["objects"] = {number: f"Object {number}" for number in sorted(found)}
        return cls(shape, labels=lambda t: np.asarray(labels[t]), **more)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest of uint16 and uint32 that holds every id."""
        return np.dtype(np.uint16 if max(self.objects, default=0) < 2**16 else np.uint32)

    @property
    def lineage(self) -> dict[int, int]:
        """Mother by daughter, where both are known; nothing descends from anything through depth."""
        if self.frame_axis != "T":
            return {}
        known = self.objects
        return {child: one for child, one in sorted(self.parents.items()) if child in known and one in known}

    @property
    def notes(self) -> dict[str, Any]:
        """The provenance, with names, classes and mothers of the objects, as JSON has them."""
        names = {str(number): name for number, name in self.objects.items()}
        classes = {str(number): found for number in self.objects if (found := self.class_of(number))}
        mothers = {str(child): mother for child, mother in self.lineage.items()}
        return plain({**self.provenance, "objects": names, "classes": classes, "parents": mothers})

    def class_of(self, number: int) -> str:
        """Return what an object is, an empty text where nobody said."""
        return self.classes.get(number, "")

    def labels_on(self, frame: int) -> Array:
        """Return a frame's labels, (H, W) in `dtype`.

        Raises
        ------
        ImageError
            They are of another size, no whole numbers, or hold an unknown id.
        """
        labels = np.asarray(self.labels(frame))
        if labels.shape != self.shape[1:] or labels.dtype.kind not in "bui":
            raise ImageError(
                f"The labels of frame {frame} are {labels.shape} {labels.dtype}, but whole numbers of shape "
                f"{self.shape[1:]} are expected."
            )
        unknown = set(np.unique(labels).tolist()) - {0, *self.objects}
        if unknown:
            raise ImageError(f"Frame {frame} has the label {min(unknown)}, but there is no such object.")
        return labels.astype(self.dtype)

    def masks_on(self, frame: int) -> Iterator[tuple[int, Mask]]:
        """Yield a frame's objects and masks, bool (H, W), one at a time; empty masks are left out.

        Raises
        ------
        ImageError
            A mask is of another size or of an unknown object.
        """
        for number, given in self._of_labels(frame) if self.masks is None else self.masks(frame):
            mask = np.asarray(given, dtype=bool)
            if number not in self.objects or mask.shape != self.shape[1:]:
                raise ImageError(
                    f"Frame {frame} has a mask {mask.shape} of object {number}: expected are masks "
                    f"{self.shape[1:]} of {', '.join(map(str, self.objects))}."
                )
            if mask.any():
                yield number, mask

    def _of_labels(self, frame: int) -> Iterator[tuple[int, Mask]]:
        labels = self.labels_on(frame)
        for number in np.unique(labels[labels > 0]).tolist():
            yield number, labels == number

    def confidence_on(self, frame: int) -> Mapping[int, float]:
        """Return how far each object of a frame can be trusted; nothing where that is not known."""
        return {} if self.confidence is None else self.confidence(frame)


def overlapping_lives(child: int, begin: int, mother: int, end: int) -> StorageError:
    """Return the sentence for a daughter that is there before her mother has gone."""
    return StorageError(
        f"Object {child} comes from object {mother}, but is there from frame {begin} on, and its mother "
        f"until frame {end}: a mother has to end before her daughters begin. Correct one of them."
    )
