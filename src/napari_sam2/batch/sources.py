"""Plans from a folder and a rule, a table, or a file that says everything."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_sam2.batch.codec import prompt_from_json, whole
from napari_sam2.batch.plan import LabelPrompt, ObjectPrompt, Plan, PlanError, PlannedSequence
from napari_sam2.batch.rows import Said, read_rows
from napari_sam2.batch.template import Template
from napari_sam2.batch.wishes import Wishes, settings_of
from napari_sam2.errors import PromptError, StorageError
from napari_sam2.io.export_kind import ExportKind
from napari_sam2.io.images import NIFTI, NRRD, PLAIN, VIDEO, ZARR

FOLDER = "napari-sam2-batch"
# The longest first: the stem of a.ome.tif is a.
SUFFIXES = (".ome.tif", ".ome.tiff", ".ome.zarr", ".nii.gz", *NIFTI, *ZARR, *PLAIN, *VIDEO, *NRRD)

_SEQUENCE = ("image", "output", "objects", "labels", "frame")


def read_plan(path: Path, wishes: Wishes, session: Callable[[Path], Template]) -> Plan:
    """Return a plan, of which nothing is checked yet that needs the images.

    Parameters
    ----------
    path
        A folder of images, a table of prompts (.csv), or a file (.json) that holds wishes itself.
    wishes
        What is said besides, by the names of `wishes.KEYS`; it goes before what the file says.
    session
        Reads a session file.

    Raises
    ------
    PlanError
        All that is wrong.
    StorageError
        A file is missing or cannot be read.
    """
    if not path.exists():
        raise StorageError(f"{path} does not exist: give a folder of images, a .csv table, or a .json plan.")
    given = {name: wish for name, wish in wishes.items() if wish is not None}
    if path.is_dir():
        return plan_of(given, path, session)
    if path.suffix.lower() == ".csv":
        return plan_of({"prompts": path.name, **given}, path.parent, session)
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{path} cannot be read as a plan ({error}): it is JSON, or a .csv table."
        ) from error
    if not isinstance(told, dict):
        raise PlanError([f"{path.name} holds {type(told).__name__}, but a plan is a table of settings"])
    return plan_of({**told, **given}, path.parent, session)


def plan_of(wishes: Wishes, root: Path, session: Callable[[Path], Template]) -> Plan:
    """Return the plan that wishes make; files are named from `root`.

    Raises
    ------
    PlanError, StorageError
        As `read_plan`.
    """
    template = session(root / str(wishes["session"])) if wishes.get("session") else None
    settings = settings_of(wishes, root, template)
    root = Path(os.path.abspath(root))
    folder = Path(os.path.normpath(root / str(wishes.get("out", FOLDER))))
    kind = settings.kind or ExportKind.TIFF
    usual = f"{{stem}}{kind.suffixes[0]}" if kind.suffixes else f"{{stem}}-{kind.value}"
    names = _Names(root, folder, str(wishes.get("output", usual)))
    ways = [name for name in ("sequences", "prompts", "session", "labels") if wishes.get(name)]
    if len(ways) > 1:
        names.problems.append(f"{' and '.join(ways)} are both given: one of them says what to follow")
    sequences = _sequences(wishes, names, template)
    if names.problems:
        raise PlanError(names.problems)
    return Plan(tuple(sequences), settings, folder)


class _Names:
    """Names of files, and what is wrong with them."""

    def __init__(self, root: Path, folder: Path, output: str) -> None:
        self.root, self.folder, self._output = root, folder, output
        self.problems: list[str] = []

    def at(self, name: str) -> Path:
        """Return the place of a name; two names of one place become the same."""
        return Path(os.path.normpath(self.root / name))

    def images(self, wish: Any) -> list[Path]:
        """Return the images of a pattern or a list, or all files in the folder that may be images."""
        if isinstance(wish, Sequence) and not isinstance(wish, str):
            return [self.at(str(name)) for name in wish]
        pattern = "*" if wish is None else str(wish)
        try:
            found = sorted(self.root.glob(pattern))
        except (ValueError, NotImplementedError) as error:
            self.problems.append(f"images={pattern!r} is no pattern ({error}): name files from {self.root}")
            return []
        if wish is None:
            found = [path for path in found if path.name.lower().endswith(SUFFIXES)]
        found = [path for path in found if not path.is_relative_to(self.folder)]
        if not found:
            self.problems.append(f"no image in {self.root} fits {pattern!r}")
        return found

    def output(self, image: Path, own: str | None = None) -> Path:
        """Return the output of an image."""
        name = own or self.filled(self._output, image, "output")
        return Path(os.path.normpath(self.folder / name))

    def filled(self, pattern: str, image: Path, what: str) -> str:
        """Return a pattern with an image's names in place of {stem}, {name} and {folder}."""
        ending = next((end for end in SUFFIXES if image.name.lower().endswith(end)), image.suffix)
        inside = image.is_relative_to(self.root)
        names = {
            "stem": image.name[: len(image.name) - len(ending)],
            "name": image.name,
            "folder": image.parent.relative_to(self.root).as_posix() if inside else "",
        }
        try:
            return pattern.format(**names)
        except (KeyError, IndexError, ValueError):
            problem = f"{what} is {pattern!r}, which has other places than {{stem}}, {{name}} and {{folder}}"
            if problem not in self.problems:
                self.problems.append(problem)
            return image.name


def _sequences(wishes: Wishes, names: _Names, template: Template | None) -> list[PlannedSequence]:
    if wishes.get("sequences"):
        return _listed(wishes["sequences"], names)
    if wishes.get("prompts"):
        return _of_table(names.root / str(wishes["prompts"]), wishes.get("images"), names)
    images = names.images(wishes.get("images"))
    blank = [PlannedSequence(image, names.output(image)) for image in images]
    if template is not None:
        return [
            replace(one, prompts=template.prompts, names=template.names, births=template.births)
            for one in blank
        ]
    if not wishes.get("labels"):
        names.problems.append("nothing says what to follow: give prompts, labels, a session or sequences")
        return []
    try:
        frame = whole(wishes.get("frame", 0), "frame", 0)
    except PromptError as error:
        names.problems.append(str(error))
        return []
    labels = [names.at(names.filled(str(wishes["labels"]), one.image, "labels")) for one in blank]
    return [
        replace(one, labels=LabelPrompt(path, frame))
        for one, path in zip(blank, labels, strict=True)
        if path != one.image  # labels may lie among the images that a pattern finds
    ]


def _of_table(table: Path, wish: Any, names: _Names) -> list[PlannedSequence]:
    """Return the sequences of a table's rows; images that a pattern finds are known by their names, too."""
    said = read_rows(table)
    if wish is None:
        return [_row(Path(os.path.normpath(table.parent / name)), one, names) for name, one in said.items()]
    sequences = []
    left = dict(said)
    for image in names.images(wish):
        key = next(
            (n for n in left if os.path.normpath(table.parent / n) == str(image) or n == image.name), None
        )
        if key is None:
            names.problems.append(f"{table.name} has no row for {image}")
        else:
            sequences.append(_row(image, left.pop(key), names))
    names.problems += [f"{table.name} speaks of {name}, which is not among the images" for name in left]
    return sequences


def _row(image: Path, said: Said, names: _Names) -> PlannedSequence:
    return PlannedSequence(image, names.output(image, said.output), said.as_prompts(), said.labels)


def _listed(listed: Any, names: _Names) -> list[PlannedSequence]:
    """Return the sequences of a list in a plan file."""
    sequences = []
    for number, one in enumerate(listed if isinstance(listed, list) else [listed]):
        where = f"sequence {number}"
        try:
            if not isinstance(one, Mapping) or "image" not in one or set(one) - set(_SEQUENCE):
                raise PromptError(f"it is a table of {', '.join(_SEQUENCE)}, of which image is needed")
            where = f"sequence {number} ({one['image']})"
            sequences.append(_one(one, names))
        except PromptError as error:
            names.problems.append(f"{where}: {error}")
    return sequences


def _one(code: Mapping[str, Any], names: _Names) -> PlannedSequence:
    image = names.at(str(code["image"]))
    objects = code.get("objects", [])
    if not isinstance(objects, list):
        raise PromptError("objects is a list")
    prompts: list[ObjectPrompt] = [prompt_from_json(each) for each in objects]
    frame = whole(code.get("frame", 0), "frame", 0)
    labels = LabelPrompt(names.at(str(code["labels"])), frame) if "labels" in code else None
    output = None if code.get("output") is None else str(code["output"])
    return PlannedSequence(image, names.output(image, output), tuple(prompts), labels)
