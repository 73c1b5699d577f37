"""What a session announces."""

from __future__ import annotations

from psygnal import Signal, SignalGroup

from napari_sam2.session.region import Region


class SessionEvents(SignalGroup):
    """Signals of a session; they are emitted in the thread that works.

    Attributes
    ----------
    labels_changed
        (frame, region): the labels of a frame changed, and nowhere but in the region.
    objects_changed
        The object table, prompts or lineage changed.
    progress
        (done, total): frames of a propagation.
    failed
        (error): something went wrong that stops nothing, such as an autosave on a full disk.
    stopped
        (object, frame): the leak guard stopped following an object before a frame.
    halved
        (objects): memory ran out; from now on so many objects go through the network together.
    """

    labels_changed = Signal(int, Region)
    objects_changed = Signal()
    progress = Signal(int, int)
    failed = Signal(Exception)
    stopped = Signal(int, int)
    halved = Signal(int)
