"""Which form is taken, and what the log says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from napari_sam2_kernels import dispatch

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    dispatch.obstacle.cache_clear()
    yield
    dispatch.obstacle.cache_clear()


@pytest.fixture(autouse=True)
def triton_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "find_spec", lambda name: object())


def test_tensors_of_a_cpu_never_ask() -> None:
    def fail(device: torch.device) -> float:
        raise AssertionError

    assert not dispatch.takes_triton("some", fail, torch.zeros(1))


class OnCuda(torch.Tensor):
    """Says that it lies on a GPU."""

    @property
    def device(self) -> torch.device:
        return torch.device("cuda")


def test_cuda_with_and_without_gradients() -> None:
    own = torch.zeros(1).as_subclass(OnCuda)
    learns = torch.zeros(1).as_subclass(OnCuda).requires_grad_()
    assert dispatch.takes_triton("some", lambda device: 0.0, own)
    assert not dispatch.takes_triton("some", lambda device: 0.0, own, learns)
    with torch.no_grad():
        assert dispatch.takes_triton("some", lambda device: 0.0, own, learns)


def test_reasons_are_logged_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(device: torch.device) -> float:
        raise RuntimeError("no compiler")

    def off(device: torch.device) -> float:
        return 0.5

    def unknown(device: torch.device) -> float:
        return float("nan")

    for self_test, part in ((breaks, "no compiler"), (off, "off by 5.0e-01"), (unknown, "off by nan")):
        assert part in str(dispatch.obstacle("some", self_test, CPU))
        assert dispatch.obstacle("some", self_test, CPU) is not None
    monkeypatch.setattr(dispatch, "find_spec", lambda name: None)
    assert "not installed" in str(dispatch.obstacle("other", off, CPU))
    messages = [record.message for record in caplog.records]
    assert len(messages) == 4
    assert messages[0].startswith("some falls back to plain torch on cpu: it does not run here (RuntimeError")
