"""What is said in an output about its making."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from napari_sam2.errors import StorageError


def plain(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy as JSON would give it back.

    Raises
    ------
    StorageError
        It holds something that JSON does not know.
    """
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(provenance), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise StorageError(
            f"The provenance cannot be stored as JSON ({error}): give text, numbers, lists and dicts."
        ) from error
    return copy
