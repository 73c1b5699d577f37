"""How much of its quality a model loses when recordings are spoilt."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import PromptError, StorageError
from napari_sam2.evaluation.evaluate import USUAL, EvaluationProtocol, Settings, evaluate, suited_to
from napari_sam2.evaluation.metrics import mean
from napari_sam2.evaluation.objects import EVERY, Choice, known_frames
from napari_sam2.evaluation.values import Row
from napari_sam2.imaging.corruptions import SEVERITIES, Corruption, corrupt
from napari_sam2.io.datasets import LabelledSequence
from napari_sam2.model.sam2 import SAM2


@dataclass(frozen=True, slots=True)
class Drop:
    """What one corruption of one severity costs.

    Attributes
    ----------
    corruption, severity
        Which.
    figure, count
        A row of the evaluation's table, and over how many objects it is a mean.
    clean, spoilt
        The figure on recordings as they are (in eight bits), and on spoilt ones, over the same frames.
    """

    corruption: str
    severity: int
    figure: str
    count: int
    clean: float
    spoilt: float

    @property
    def drop(self) -> float:
        """What is lost; negative if anything was gained."""
        return self.clean - self.spoilt


def robustness(
    model: SAM2,
    sequences: Sequence[LabelledSequence],
    protocol: EvaluationProtocol,
    settings: Settings = USUAL,
    corruptions: Sequence[Corruption] = tuple(Corruption),
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    advance: Callable[[], object] = lambda: None,
) -> Iterator[Drop]:
    """Measure a model on annotated sequences, then on the same with each corruption.

    Prompts come from the truth, which moves along where the image does. The same objects count each time, but
    for those that a drift carries out of view before they are prompted.

    Parameters
    ----------
    model, sequences, protocol, settings
        As for `evaluate`; the baseline is left out.
    corruptions, severities
        Which. Those that need several frames are left out where no sequence has them.
    seed
        Of the corruptions.
    advance
        Called after each object of an image, and each frame that objects were followed through.

    Yields
    ------
    Drop
        One for each figure of each corruption and severity, as soon as it is measured.

    Raises
    ------
    PromptError, ImageError
        No sequence suits the protocol, none holds an object, or there is no such severity.
    """
    per_frame = protocol is EvaluationProtocol.CLICKS
    suited = [_only(one, settings.choice, per_frame) for one in suited_to(protocol, sequences)]
    settings = replace(settings, baseline=False, choice=EVERY)
    alone = all(one.kind == "image" for one in suited)

    def measured(ones: Sequence[LabelledSequence]) -> dict[str, Row]:
        return {row.figure: row for row in evaluate(model, ones, protocol, settings, advance).rows}

    plain = [spoil(one, None, 1) for one in suited]
    clean = measured(plain)
    for corruption in corruptions:
        if corruption.needs_frames and alone:
            continue
        for severity in severities:
            spoilt = [spoil(one, corruption, severity, seed) for one in suited]
            found = measured(spoilt)
            fair = clean
            if any(one.annotated != other.annotated for one, other in zip(plain, spoilt, strict=True)):
                # Frames were lost: the clean recordings are judged on the same ones as the spoilt.
                pairs = zip(plain, spoilt, strict=True)
                fair = measured([replace(one, annotated=other.annotated) for one, other in pairs])
            for figure, row in found.items():
                yield Drop(corruption.value, severity, figure, row.count, fair[figure].model, row.model)


def spoil(
    sequence: LabelledSequence, corruption: Corruption | None, severity: int, seed: int = 0
) -> LabelledSequence:
    """Return a sequence with a corruption; it is read now, and frames that show nothing are not annotated.

    None brings it to eight bits, as corruptions do.
    """
    images, labels = sequence.read()
    spoilt = corrupt(images, labels, corruption, severity, seed)
    seen = tuple(t for t in known_frames(sequence, len(labels)) if t not in spoilt.lost)

    def read() -> tuple[npt.NDArray[Any], npt.NDArray[np.integer[Any]]]:
        return spoilt.images, spoilt.labels

    every = len(seen) == len(labels)
    return replace(sequence, read=read, annotated=None if every else seen)


def _only(sequence: LabelledSequence, choice: Choice, per_frame: bool) -> LabelledSequence:
    """Return a sequence in which no object is labelled but the chosen ones."""

    def read() -> tuple[npt.NDArray[Any], npt.NDArray[np.integer[Any]]]:
        images, labels = sequence.read()
        known = list(known_frames(sequence, len(labels)))
        if not per_frame:
            return images, np.where(np.isin(labels, choice.of(labels[known])), labels, 0)
        kept = np.zeros_like(labels)
        for frame in known:
            kept[frame] = np.where(np.isin(labels[frame], choice.of(labels[frame])), labels[frame], 0)
        return images, kept

    return replace(sequence, read=read)


def table(drops: Sequence[Drop], figure: str) -> str:
    """Return what each corruption costs in one figure, by severity, most first, as Markdown."""
    own = [drop for drop in drops if drop.figure == figure]
    severities = sorted({drop.severity for drop in own})
    cells = {(drop.corruption, drop.severity): drop.drop for drop in own}
    names = list(dict.fromkeys(drop.corruption for drop in own))
    means = {name: mean(cells[name, s] for s in severities if (name, s) in cells) for name in names}
    head = "".join(f" {severity} |" for severity in severities)
    lines = [f"| corruption |{head} mean drop |", "|---" * (len(severities) + 2) + "|"]
    for name in sorted(names, key=lambda name: -means[name]):
        values = "".join(f" {cells[name, s]:.3f} |" if (name, s) in cells else " |" for s in severities)
        lines.append(f"| {name} |{values} {means[name]:.3f} |")
    return "\n".join(lines)


def headline(drops: Sequence[Drop]) -> str:
    """Return the figure that stands for the others: J&F, else the IoU after one click, else the first.

    Raises
    ------
    PromptError
        Nothing was measured.
    """
    if not drops:
        raise PromptError("The corruptions need sequences of several frames: a single image stays as it is.")
    figures = list(dict.fromkeys(drop.figure for drop in drops))
    for words in ("J&F", "IoU after 1 click"):
        for figure in figures:
            if figure.startswith(words):
                return figure
    return figures[0]


def write(folder: Path, drops: Sequence[Drop], title: str = "") -> str:
    """Write ``corruptions.csv``, a line a figure, corruption and severity, and ``corruptions.md``.

    Returns
    -------
    str
        The table of the figure that stands for the others, as it is in ``corruptions.md``.

    Raises
    ------
    StorageError
        They cannot be written.
    """
    figure = headline(drops)
    text = f"What corruptions cost in {figure}\n\n{table(drops, figure)}"
    try:
        with (folder / "corruptions.csv").open("w", newline="", encoding="utf-8") as file:
            lines = csv.DictWriter(file, [*(f.name for f in fields(Drop)), "drop"])
            lines.writeheader()
            lines.writerows({**asdict(drop), "drop": drop.drop} for drop in drops)
        heading = f"{title}\n\n" if title else ""
        (folder / "corruptions.md").write_text(f"{heading}{text}\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"The report cannot be written to {folder}: {error.strerror or error}. Make room, or choose "
            "another folder."
        ) from error
    return text


def corruptions_named(names: Collection[str]) -> tuple[Corruption, ...]:
    """Return corruptions by their names.

    Raises
    ------
    PromptError
        There is no such corruption.
    """
    known = {one.value.lower(): one for one in Corruption}
    for name in names:
        if name.lower() not in known:
            raise PromptError(
                f"There is no corruption {name!r}; known are: {', '.join(one.value for one in Corruption)}."
            )
    return tuple(dict.fromkeys(known[name.lower()] for name in names))
