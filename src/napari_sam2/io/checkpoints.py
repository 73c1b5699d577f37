"""Weights files to networks and back: named checkpoints, official ``.pt`` files, and our own safetensors.

No file is ever allowed to run code: ``.pt`` files are opened with ``weights_only=True`` alone.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_sam2.errors import CheckpointError, StorageError
from napari_sam2.io.download import Progress
from napari_sam2.io.recognition import config_of, other_family, unknown_network
from napari_sam2.io.registry import CHECKPOINTS, EMBEDDED, checkpoint, fetch
from napari_sam2.model.config import ModelConfig
from napari_sam2.model.families import Config, ImageModel, build, config_from_json, released
from napari_sam2.model.sam1_weights import unwrapped
from napari_sam2.model.weights import fold_stem

AnyConfig = Config | Mapping[str, Any]
StateDict = dict[str, Tensor]

_CONFIG = "config"
# Where training runs keep the state dict: SAM 2's, and micro-sam's.
_CONTAINERS = ("model", "model_state")

# What people rename or pick by mistake, by its first bytes.
_OTHER_KINDS = {
    b"\x89PNG": "a PNG picture",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"II+\0": "a TIFF image",
    b"MM\0+": "a TIFF image",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x93NUMPY": "a numpy array",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a gzip archive",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}


def load_model(
    name_or_path: str | Path = EMBEDDED,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    *,
    config: AnyConfig | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> ImageModel:
    """Return a network with its weights, in evaluation mode, no parameter requiring a gradient.

    Parameters
    ----------
    name_or_path
        ``"nano"`` (comes with the package), the name of a released model such as ``"sam2.1_hiera_tiny"`` or
        ``"sam_vit_b"`` (fetched once into the user's cache), or a file: an official ``.pt``, one that
        micro-sam fine-tuned, or our ``.safetensors``.
    device
        Where the network runs; CUDA where there is any and the CPU otherwise, if left out.
    dtype
        Type of the parameters; float32 if left out, whatever the file holds.
    config
        For a fine-tune that fits none of the released configurations: its `ModelConfig` or `Sam1Config`, or
        the nested configuration mapping of SAM 2's reference.
    folder
        Where named checkpoints are kept; `napari_sam2.io.registry.cache_folder` by default.
    progress
        Called with (bytes there, bytes in all or None) while a checkpoint is fetched.

    Returns
    -------
    SAM2 or SAM1
        Its ``capabilities`` say what it can do; only SAM 2 follows objects through frames.

    Raises
    ------
    CheckpointError
        If the name is unknown, or the weights cannot be fetched, read or fitted to a network.
    """
    name = str(name_or_path)
    if name == EMBEDDED:
        with as_file(files("napari_sam2") / "weights" / f"{EMBEDDED}.safetensors") as path:
            model = _read_model(path, config)
    elif name in CHECKPOINTS:
        model = _read_model(fetch(name, folder, progress=progress), config or released(name))
    else:
        path = Path(name_or_path).expanduser()
        if not path.exists() and isinstance(name_or_path, str) and not path.suffix and path.name == name:
            checkpoint(name)
        model = _read_model(path, config)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    target = device if device is not None else ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return model.eval().to(device=target, dtype=dtype or torch.float32)
    except (RuntimeError, AssertionError) as error:
        raise CheckpointError(
            f"The network cannot be moved to device {str(target)!r}: {str(error).splitlines()[0]}"
        ) from error


def save_model(
    model: ImageModel,
    path: str | Path,
    overwrite: bool = False,
    half: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a network as safetensors: the official names, and its configuration in the metadata.

    A convolutional stem is stored folded, batch norm and convolution in one, and the configuration inside the
    file says so. The file gets its name only when it is complete.

    Parameters
    ----------
    model
        The network.
    path
        The file to write; its folder has to exist.
    overwrite
        Whether a file of that name may be replaced.
    half
        Store float16, half the size; `load_model` returns float32 all the same.
    metadata
        More to keep inside the file, texts by name.

    Raises
    ------
    StorageError
        If the file exists, its folder does not, or the disk is full.
    """
    path = Path(path).expanduser()
    if path.exists() and not overwrite:
        raise StorageError(f"{path} exists already: give another name, or pass overwrite=True.")
    if not path.parent.is_dir():
        raise StorageError(f"There is no folder {path.parent} to write {path.name} into.")
    dtype = torch.float16 if half else None
    weights, config = model.to_official(), model.config
    if isinstance(config, ModelConfig) and config.trunk.stem == "conv":
        weights, config = fold_stem(weights), replace(config, trunk=replace(config.trunk, stem="folded"))
    state = {key: value.detach().to("cpu", dtype).contiguous() for key, value in weights.items()}
    notes = {**(metadata or {}), _CONFIG: config.to_json(), "format": "pt"}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(state, part, metadata=notes)
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        full = "No space left" in str(error) or "os error 28" in str(error)
        reason = "the disk is full" if full else str(error)
        raise StorageError(f"{path} could not be written: {reason}. Nothing was left behind.") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _read_model(path: Path, config: AnyConfig | None) -> ImageModel:
    if not path.exists():
        raise CheckpointError(f"There is no file {path}.")
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; give the .pt or .safetensors file inside it.")
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be opened: {error.strerror or error}.") from error
    if not head:
        raise CheckpointError(f"{path} is empty (0 bytes): the copy or the download did not finish.")
    for magic, kind in _OTHER_KINDS.items():
        if head.startswith(magic):
            raise CheckpointError(f"{path} is {kind}, not a file of weights (.pt or .safetensors).")
    inside: Config | None = None
    if path.suffix == ".safetensors" or head[8:9] == b"{":
        state, inside = _read_safetensors(path)
    else:
        state = _read_pt(path, head)
    known = _as_config(config) or inside or config_of(state)
    if known is None:
        raise CheckpointError(unknown_network(path, state))
    if mismatch := other_family(state, known):
        raise CheckpointError(f"{path} {mismatch}")
    model = build(known)
    try:
        model.load_official(state)
    except CheckpointError as error:
        raise CheckpointError(f"{path} does not fit the network: {error}") from error
    return model


def _as_config(config: AnyConfig | None) -> Config | None:
    return ModelConfig.from_official(config) if isinstance(config, Mapping) else config


def _read_safetensors(path: Path) -> tuple[StateDict, Config | None]:
    try:
        with safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
            state = {key: _float32(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a complete safetensors file ({error}): fetch or copy it again."
        ) from error
    return state, config_from_json(notes[_CONFIG]) if _CONFIG in notes else None


def _read_pt(path: Path, head: bytes) -> StateDict:
    if head.startswith(b"PK"):
        _check_archive(path)
    elif not head.startswith(b"\x80"):
        raise CheckpointError(
            f"{path} is not a file of weights: it is neither a PyTorch archive (.pt) nor safetensors."
        )
    try:
        top = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is not a plain weights file: it holds pickled Python objects. It is not opened, because "
            "opening it could run code that somebody put inside. Save the state dict alone, or safetensors."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path} cannot be read as weights and is probably damaged or cut short: "
            f"{str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}"
        ) from error
    state = top
    if isinstance(top, Mapping):
        state = next((top[name] for name in _CONTAINERS if name in top), top)
    if not isinstance(state, Mapping) or not state:
        raise CheckpointError(f"{path} holds no weights by name: a {type(state).__name__} was found instead.")
    strangers = [str(key) for key, value in state.items() if not isinstance(value, Tensor)]
    if strangers:
        raise CheckpointError(
            f"{path} has no state dict under the key 'model', and its own entries are no tensors "
            f"({', '.join(strangers[:3])}): it is not a SAM 2 checkpoint."
        )
    return unwrapped({str(key): _float32(value) for key, value in state.items()})


def _check_archive(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        raise CheckpointError(f"{path} is cut short: the archive has no end. Fetch or copy it again.")
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{path} is a damaged archive ({error}). Fetch or copy it again.") from error
    if "constants.pkl" in names:
        raise CheckpointError(
            f"{path} is a TorchScript program, not a plain weights file. It is not opened, because opening "
            "it could run code that somebody put inside."
        )
    if "data.pkl" not in names:
        raise CheckpointError(f"{path} is a zip archive of something else, not a file of weights.")


def _float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
