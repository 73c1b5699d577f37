"""A session as a batch takes it: the same from its file and while it is open."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_sam2.batch.codec import prompt_to_json
from napari_sam2.batch.plan import Birth, Way
from napari_sam2.session.session import Session
from napari_sam2.session_prompts import template_of, template_of_open


def test_a_session_is_the_same_open_and_saved(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 40, 50), np.uint8)
    mask = np.zeros((40, 50), bool)
    mask[10:20, 10:20] = True
    with Session(frames, axes="TYX") as session:
        session.prompt(1, 1, mask=mask)
        session.prompt(2, 2, mask=~mask)
        session.rename(1, "mother")
        session.divide(3, 1, [4, 5], masks=[mask, np.roll(mask, 15, 1)])
        session.hide(2)
        now = template_of_open(session, "nano")
        saved = template_of(session.save(tmp_path / "a.sam2.json"))
    assert [(one.object_id, one.frame) for one in now.prompts] == [(1, 1), (4, 3), (5, 3)]
    assert [prompt_to_json(one) for one in now.prompts] == [prompt_to_json(one) for one in saved.prompts]
    assert now.births == saved.births == (Birth(4, 1, 3), Birth(5, 1, 3))
    assert now.names == saved.names
    assert now.names[1] == "mother"
    assert (now.way, now.policy) == (saved.way, saved.policy) == (Way.FORWARD, session.policy)
    assert now.model == "nano"
