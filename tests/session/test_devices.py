"""Where a network can run."""

import pytest
import torch

from napari_sam2.session.devices import devices


def names() -> list[str]:
    return [device.name for device in devices()]


def test_the_one_that_is_taken_by_itself_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert names() == ["cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A card")
    assert names() == ["cuda", "cpu"]
    assert devices()[0].text == "A card"


def test_mps_is_offered_but_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert names() == ["cpu", "mps"]
