"""The models to choose from, as lines of a list."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_sam2.plugin.status import Model, Status
from napari_sam2.session.devices import Device

# What the publishers' servers announce. Only shown: a download goes by what is announced while it runs.
MEGABYTES: Mapping[str, float] = {
    "sam2_hiera_tiny": 156,
    "sam2_hiera_small": 184,
    "sam2_hiera_base_plus": 323,
    "sam2_hiera_large": 898,
    "sam2.1_hiera_tiny": 156,
    "sam2.1_hiera_small": 184,
    "sam2.1_hiera_base_plus": 324,
    "sam2.1_hiera_large": 898,
    "sam_vit_b": 375,
    "sam_vit_l": 1250,
    "sam_vit_h": 2565,
}
_SAM2 = "Weights by Meta AI, the authors of SAM 2: Apache License 2.0."
_NANO = "Trained for this package, by its authors: BSD 3-Clause, like the package."
_SAM1 = "Weights by Meta AI, the authors of SAM: Apache License 2.0."


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A line of the list.

    Attributes
    ----------
    name
        What `load_model` takes.
    text
        What the line says.
    tip
        More about it, the licence among it.
    ready
        Whether it can be used without a download.
    why_not
        Why it cannot be chosen; empty where it can.
    """

    name: str
    text: str
    tip: str
    ready: bool
    why_not: str = ""


def model_rows(
    names: Collection[str], on_disk: Collection[str], own: Collection[str] = ()
) -> tuple[ModelRow, ...]:
    """Return the lines of the list.

    Parameters
    ----------
    names
        Of the embedded model and of the published ones, in order.
    on_disk
        Which of them were fetched before.
    own
        Files of the user, by their paths.
    """
    return tuple(_row(name, name in on_disk) for name in names) + tuple(_file(path) for path in own)


def _row(name: str, here: bool) -> ModelRow:
    if name == "nano":
        tip = f"Small and quick on any computer; comes with the package. {_NANO}"
        return ModelRow(name, "nano \u2013 built in", tip, True)
    size = f"{_size(MEGABYTES[name])} to download" if name in MEGABYTES else "to download"
    text = f"{title(name)} \u2013 {'on disk' if here else size}"
    where = "It was fetched before." if here else "It is fetched once, then kept."
    if name.startswith("sam_"):
        why = "It segments single images and has no memory, so it cannot follow objects: take a SAM 2 model."
        return ModelRow(name, text, f"{name}. {_SAM1} {why}", here, why)
    return ModelRow(name, text, f"{name}. {where} {_SAM2}", here)


def _file(path: str) -> ModelRow:
    return ModelRow(path, f"{Path(path).name} \u2013 own file", f"{path}: the licence is its maker's.", True)


def title(name: str) -> str:
    """Return the name of a model as people write it."""
    release, _, size = name.replace("_hiera_", "|").replace("_vit_", "|").partition("|")
    if not size:
        return Path(name).name
    word = {"b": "ViT-B", "l": "ViT-L", "h": "ViT-H"}.get(size, size.replace("base_plus", "base+"))
    return f"{release.upper().replace('SAM2', 'SAM 2')} {word}"


def _size(megabytes: float) -> str:
    return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


def progress_words(there: int, total: int | None) -> str:
    """Return how far a download is."""
    if total is None:
        return f"{there / 1e6:.0f} MB"
    return f"{there / 1e6:.0f} of {total / 1e6:.0f} MB"


def state_words(name: str, status: Status, device: str | None, known: tuple[Device, ...]) -> str:
    """Return the line about the model.

    Parameters
    ----------
    name
        Of the model.
    status
        What the window stands at.
    device
        What was chosen; None for automatic.
    known
        Where a network can run, the automatic one first; empty as long as nobody knows.
    """
    automatic = known[0].name if known else ""
    place = device or automatic
    where = f" on {place}" if place else ""
    if status.model is Model.READY:
        return f"{name} is ready{where}."
    if status.model is Model.LOADING:
        return f"{name} is being loaded{where} ..."
    if status.model is Model.FAILED:
        return f"Not ready: {status.message}" if status.message else "Not ready."
    return f"{name} begins{where} as soon as an image is chosen."
