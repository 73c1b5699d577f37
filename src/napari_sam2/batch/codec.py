"""What is said of a sequence, as JSON has it, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_sam2.batch.plan import ObjectPrompt
from napari_sam2.errors import PromptError, StorageError
from napari_sam2.io.run_length import decode_mask, encode_mask
from napari_sam2.prompts import Box, Click, MaskPrompt, PromptSet

_KEYS = ("id", "frame", "clicks", "box", "mask")


def prompt_to_json(prompt: ObjectPrompt) -> dict[str, Any]:
    """Return the object, the frame, and what is said."""
    said = prompt.prompt
    code: dict[str, Any] = {"id": prompt.object_id, "frame": prompt.frame}
    if said.clicks:
        code["clicks"] = [[click.y, click.x, click.positive] for click in said.clicks]
    if said.box is not None:
        code["box"] = [said.box.y0, said.box.x0, said.box.y1, said.box.x1]
    if said.mask is not None:
        code["mask"] = encode_mask(np.asarray(said.mask.mask))
    return code


def prompt_from_json(code: Any) -> ObjectPrompt:
    """Return the prompt of a code, which people write by hand, too.

    Parameters
    ----------
    code
        ``id`` from 1 on; ``frame``, by default 0; ``clicks``, each [y, x] or [y, x, whether on the object];
        ``box`` [y0, x0, y1, x1]; ``mask``, COCO's code of one.

    Raises
    ------
    PromptError
        It is none, in words that say what is wrong with it.
    """
    if not isinstance(code, Mapping):
        raise PromptError(f"an object is a table of {', '.join(_KEYS)}, got {code!r}")
    if unknown := set(code) - set(_KEYS):
        raise PromptError(f"an object has no {min(unknown)!r}: it has {', '.join(_KEYS)}")
    clicks = code.get("clicks", ())
    box, mask = code.get("box"), code.get("mask")
    if not isinstance(clicks, Sequence) or any(not isinstance(one, Sequence) for one in clicks):
        raise PromptError(f"clicks are lists of [y, x], got {clicks!r}")
    try:
        said = PromptSet(
            tuple(_click(one) for one in clicks),
            None if box is None else Box(*(float(side) for side in box)),
            None if mask is None else MaskPrompt(decode_mask(mask)),
        )
    except (TypeError, ValueError, StorageError) as error:
        raise PromptError(f"this makes no prompt: {error}") from error
    if not said:
        raise PromptError("an object has clicks, a box or a mask, and here is none")
    return ObjectPrompt(whole(code.get("id"), "id", 1), whole(code.get("frame", 0), "frame", 0), said)


def whole(value: Any, name: str, least: int) -> int:
    """Return a whole number, or raise PromptError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise PromptError(f"{name} is a whole number from {least} on, got {value!r}")
    return value


def _click(code: Sequence[Any]) -> Click:
    if len(code) not in (2, 3):
        raise PromptError(f"a click is [y, x] or [y, x, whether on the object], got {list(code)}")
    return Click(float(code[0]), float(code[1]), bool(code[2]) if len(code) == 3 else True)
