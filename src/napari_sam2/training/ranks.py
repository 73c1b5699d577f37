"""Several processes, one a GPU, started by torchrun: who am I, and what did the others find."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process's number, and how many there are."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and speaks."""
        return self.rank == 0

    def average(self, parameters: Iterable[Tensor]) -> None:
        """Replace the gradients of `parameters` by the mean over all processes.

        What one process did not use counts as zero there, since all have to agree on what is sent.
        """
        if self.count == 1:
            return
        wanted = [p for p in parameters if p.requires_grad]
        flat = torch.cat(
            [(torch.zeros_like(p) if p.grad is None else p.grad).flatten().float() for p in wanted]
        )
        dist.all_reduce(flat)
        flat /= self.count
        for parameter, part in zip(wanted, flat.split([p.numel() for p in wanted]), strict=True):
            parameter.grad = part.view_as(parameter).to(parameter.dtype)

    def wait(self) -> None:
        """Go on when all processes are here."""
        if self.count > 1:
            dist.barrier()


def join(device: str) -> Ranks:
    """Join the processes that torchrun started; alone where it was not used."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Ranks()
    if not dist.is_initialized():
        if device.startswith("cuda"):
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Ranks(dist.get_rank(), count)


def leave() -> None:
    """Part from the other processes, where there are any."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
