"""The axes of a layer: which of them frames follow each other along, and where things are in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import ImageError

LETTERS = "TZCYX"
# What people call them, in the words in which they begin.
_WORDS = {
    "time": "T",
    "frame": "T",
    "depth": "Z",
    "slice": "Z",
    "plane": "Z",
    "channel": "C",
    "col": "X",
    "row": "Y",
}


@dataclass(frozen=True, slots=True)
class LayerAxes:
    """Axes of a layer's data, and the choice of its frames.

    Attributes
    ----------
    letters
        One of T, Z, C, Y, X for each axis of the data.
    shape
        Of the data, in this order.
    along
        T or Z: what frames follow each other along; None for a single image.
    at
        Where to stay along the other of the two.
    rgb
        Whether the last axis is colour, which the slider does not show.
    """

    letters: str
    shape: tuple[int, ...]
    along: str | None
    at: Mapping[str, int] = field(default_factory=dict)
    rgb: bool = False

    def __post_init__(self) -> None:
        if len(self.letters) != len(self.shape):
            raise ImageError(
                f"The layer has {len(self.shape)} axes, {self.shape}, and {len(self.letters)} letters came, "
                f"{self.letters!r}: give one for each."
            )
        if set(self.letters) - set(LETTERS) or len(set(self.letters)) < len(self.letters):
            raise ImageError(f"Name each axis once, with one of {', '.join(LETTERS)}; got {self.letters!r}.")
        if not {"Y", "X"} <= set(self.letters):
            raise ImageError(f"Y and X have to be among the axes, got {self.letters!r}.")

    @classmethod
    def guess(
        cls,
        shape: Sequence[int],
        labels: Sequence[str] = (),
        units: Sequence[str] = (),
        rgb: bool = False,
        position: Sequence[float] = (),
    ) -> LayerAxes:
        """Read the axes of a layer from its labels, and otherwise from its shape.

        Parameters
        ----------
        shape
            Of the data; with `rgb` the last axis is colour.
        labels, units
            Of the axes that the slider shows, as napari has them.
        rgb
            Whether the last axis is colour.
        position
            Where the sliders are, for the axis that is held.
        """
        shape = tuple(int(n) for n in shape)
        shown = shape[:-1] if rgb else shape
        named = [_letter(label) for label in labels]
        letters = "".join(named) if _sound(named, len(shown)) else _by_shape(shown, units, rgb)
        return cls.of(letters + "C" * rgb, shape, rgb=rgb, position=position)

    @classmethod
    def of(
        cls,
        letters: str,
        shape: Sequence[int],
        along: str | None = None,
        rgb: bool = False,
        position: Sequence[float] = (),
    ) -> LayerAxes:
        """Choose the frames: along T if there are several times, otherwise along Z."""
        shape = tuple(int(n) for n in shape)
        letters = letters.upper()
        cls(letters, shape, None)  # says what is wrong with them
        sizes = dict(zip(letters, shape, strict=True))
        long = [letter for letter in "TZ" if sizes.get(letter, 1) > 1]
        if along not in long:
            along = long[0] if long else next((letter for letter in "TZ" if letter in sizes), None)
        held = {}
        for letter in "TZ":
            if letter in sizes and letter != along:
                index = letters.index(letter)
                where = position[index] if index < len(position) else 0
                held[letter] = int(np.clip(round(float(where)), 0, sizes[letter] - 1))
        return cls(letters, shape, along, held, rgb)

    @property
    def ndim(self) -> int:
        """Axes that the sliders show."""
        return len(self.letters) - self.rgb

    @property
    def frames(self) -> int:
        """How many there are."""
        return 1 if self.along is None else self.shape[self.letters.index(self.along)]

    @property
    def plane(self) -> tuple[int, int]:
        """(H, W) of a frame."""
        return self.shape[self.letters.index("Y")], self.shape[self.letters.index("X")]

    @property
    def frame_axis(self) -> int | None:
        """Number of the axis that frames follow each other along."""
        return None if self.along is None else self.letters.index(self.along)

    def frame(self, position: Sequence[float]) -> int:
        """Return the frame at a position in data coordinates."""
        axis = self.frame_axis
        return 0 if axis is None else int(np.clip(round(float(position[axis])), 0, self.frames - 1))

    def holds(self, position: Sequence[float]) -> bool:
        """Whether a position is where the session stays along the other axes."""
        return all(round(float(position[self.letters.index(letter)])) == i for letter, i in self.at.items())

    def pixel(self, position: Sequence[float]) -> tuple[float, float]:
        """Return (y, x) of a position."""
        return float(position[self.letters.index("Y")]), float(position[self.letters.index("X")])

    def position(self, frame: int, y: float, x: float, channel: int = 0) -> npt.NDArray[np.float64]:
        """Return the data coordinates (ndim,) of a pixel of a frame."""
        where: dict[str, float] = {"Y": y, "X": x, "C": channel, **self.at}
        if self.along is not None:
            where[self.along] = frame
        return np.array([where[letter] for letter in self.letters[: self.ndim]], np.float64)

    def inside(self, frame: int, y: float, x: float) -> bool:
        """Whether there is such a pixel."""
        height, width = self.plane
        return 0 <= frame < self.frames and -0.5 <= y < height - 0.5 and -0.5 <= x < width - 0.5

    @property
    def origin(self) -> npt.NDArray[np.float64]:
        """Where in the image's data coordinates the labels begin: their held axes have one place."""
        return np.array([self.at.get(letter, 0) for letter in self.letters[: self.ndim]], np.float64)

    def spread(self, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Lay labels of all frames out along the axes of the layer.

        Parameters
        ----------
        labels
            (frames, H, W).

        Returns
        -------
        numpy.ndarray
            A view of `labels` with the axes that the sliders show. An axis that is held has the length 1; all
            channels show the same memory, so that what is painted on one is on all.
        """
        strides, shape = [], []
        for letter, size in zip(self.letters[: self.ndim], self.shape, strict=False):
            source = {"Y": 1, "X": 2}.get(letter, 0 if letter == self.along else None)
            shape.append(1 if letter in self.at else size if source is None else labels.shape[source])
            strides.append(0 if source is None else labels.strides[source])
        return np.lib.stride_tricks.as_strided(labels, shape, strides)


def _letter(label: str) -> str:
    label = label.strip().lower()
    if label[:1].upper() in LETTERS and len(label) == 1:
        return label.upper()
    return next((letter for word, letter in _WORDS.items() if label.startswith(word)), "?")


def _sound(letters: Sequence[str], count: int) -> bool:
    return (
        len(letters) == count == len(set(letters))
        and not set(letters) - set(LETTERS)
        and {"Y", "X"} <= set(letters)
    )


def _by_shape(shape: tuple[int, ...], units: Sequence[str], rgb: bool) -> str:
    """Name axes that nobody named: planes last, channels where an axis is short, then T before Z."""
    before = len(shape) - 2
    if before < 0 or before > 3:
        raise ImageError(
            f"The layer has {len(shape)} axes, {shape}: an image has two to five, of T, Z, C, Y, X. "
            "Take one of the others apart first (right click: Split Stack)."
        )
    if before == 1:
        deep = bool(units) and str(units[0]).endswith("meter")
        return ("Z" if deep else "T") + "YX"
    short = [index for index in range(before) if shape[index] <= 4]
    if before == 2:
        if short and not rgb:
            channel = short[-1] if len(short) == 1 or shape[short[-1]] <= shape[short[0]] else short[0]
            return ("CT" if channel == 0 else "TC") + "YX"
        return "TZYX"
    return {0: "", 3: "TZC" if not short or short[-1] == 2 else "TCZ"}.get(before, "") + "YX"
