"""The labels layer of a session saved by napari: as a session file, or as what other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_sam2.errors import StorageError
from napari_sam2.plugin.readers import ENDING


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write the session behind a labels layer; napari has asked before it lets a file be replaced.

    Parameters
    ----------
    path
        ``*.sam2.json`` for the session; otherwise an ending that `ExportKind.of` knows.
    data
        Of the layer, by which its session is found.
    attributes
        Of the layer.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    StorageError
        The layer is not one that SAM 2 made, or the file cannot be written.
    """
    session = session_behind(data)
    if session is None:
        raise StorageError(
            f"The layer {attributes.get('name', '')!r} is not the result of a SAM 2 session that is open: "
            "choose its image in the SAM 2 window first, or save the layer as .tif."
        )
    target = Path(path)
    if target.name.lower().endswith(ENDING):
        return [str(session.save(target, overwrite=True))]
    return [str(session.export(target, overwrite=True))]


def session_behind(data: Any) -> Any:
    """Return the session that a labels layer with this data shows; None where there is none.

    Of every window only the image that is chosen is looked at.
    """
    from napari_sam2.plugin.attach import _bridges

    for bridge in tuple(_bridges.values()):
        sitting = bridge.sitting
        layer = None if sitting is None else sitting.label_layer.layer
        if sitting is not None and layer is not None and layer.data is data:
            return sitting.session
    return None
