"""A batch in a process of its own: the window that began it stays quick, and may stop it any time.

Run as a module it is that process: it reads an `Order` from its input, writes what happens to its output, and
ends when its input does, whether it was closed or whoever held it was killed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from napari_sam2.batch.outcome import Note, Outcome
from napari_sam2.batch.plan import Plan
from napari_sam2.batch.pool import Cluster, Here, Pool
from napari_sam2.batch.report import summary, write_report
from napari_sam2.batch.run import run_batch
from napari_sam2.errors import Sam2Error

# A frame may take so long; what is not at an end then is ended as if it was killed, which loses that frame.
PATIENCE = 5.0
_NICE = 5


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done, and by whom.

    Attributes
    ----------
    plan
        It should have been checked.
    workers
        Processes to start on this machine; 1 for a single one without Dask.
    scheduler
        Of a Dask cluster, instead.
    overwrite, retries
        As for `run_batch`.
    """

    plan: Plan
    workers: int = 1
    scheduler: str | None = None
    overwrite: bool = False
    retries: int = 2


@dataclass(frozen=True, slots=True)
class Report:
    """The end: the page that was written, and its first line."""

    page: Path
    summary: str


@dataclass(frozen=True, slots=True)
class _Failure:
    message: str


Event = Note | Outcome | Report


class Apart:
    """An order that is carried out elsewhere.

    Parameters
    ----------
    order
        Sent at once.
    """

    def __init__(self, order: Order) -> None:
        self._stopped = threading.Event()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            # What lies in the present folder is nobody's module.
            env={**os.environ, "PYTHONSAFEPATH": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        # A process that is dead already tells of that when it is listened to.
        with contextlib.suppress(OSError):
            pickle.dump(order, self._to)
            self._to.flush()

    def events(self) -> Iterator[Event]:
        """Yield what happens; a `Report` is the last, unless it was stopped.

        Raises
        ------
        Sam2Error
            It could not be done, or the process is dead.
        """
        report = False
        while (event := self._next()) is not None:
            if isinstance(event, _Failure):
                raise Sam2Error(event.message)
            report = isinstance(event, Report)
            yield event
        code = self._process.wait()
        if not report and not self._stopped.is_set():
            raise Sam2Error(
                f"The process of the batch ended before its time (exit code {code}{self._last_words()}). "
                "What is finished is kept: start again to go on."
            )

    def stop(self) -> None:
        """Ask for the end, from any thread; what is finished stays, and a later run goes on."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._to.close()

    def close(self) -> None:
        """Stop, wait for the end, and give everything back."""
        self.stop()
        try:
            self._process.wait(3 * PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._from.close()
        self._log.close()

    @property
    def _to(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _from(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _next(self) -> Event | _Failure | None:
        try:
            event: Event | _Failure = pickle.load(self._from)
        except (EOFError, pickle.UnpicklingError):
            return None
        return event

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


class _Stopped(BaseException):
    """Nobody wants it any more: not to be taken for something that went wrong."""


class _Teller:
    """Writes events to whoever began this, until nobody listens."""

    def __init__(self, channel: IO[bytes]) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def tell(self, event: Event | _Failure) -> None:
        with self._lock, contextlib.suppress(OSError):
            pickle.dump(event, self._channel)
            self._channel.flush()


def main() -> None:
    """Be the process."""
    # Others write to the usual output as well; theirs goes where errors go.
    teller = _Teller(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    if hasattr(os, "nice"):
        os.nice(_NICE)  # whoever looks at a screen comes first
    order: Order = pickle.load(sys.stdin.buffer)
    stopping = threading.Event()

    def note(note: Note) -> None:
        # Of a cluster, it is the client's own thread that tells: nothing would come of raising there.
        if stopping.is_set() and isinstance(pool, Here):
            raise _Stopped
        teller.tell(note)

    pool: Pool | None = None

    def watch() -> None:
        sys.stdin.buffer.read()
        stopping.set()
        timer = threading.Timer(PATIENCE, os._exit, (0,))
        timer.daemon = True
        timer.start()
        if isinstance(pool, Cluster):
            pool.close()
            os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    try:
        alone = order.workers == 1 and order.scheduler is None
        pool = Here(note) if alone else Cluster(note, order.scheduler, order.workers)
        try:
            outcomes = run_batch(
                order.plan, pool, retries=order.retries, overwrite=order.overwrite, tell=teller.tell
            )
        finally:
            pool.close()
        teller.tell(Report(write_report(order.plan, outcomes), summary(outcomes)))
    except _Stopped:
        return
    except Sam2Error as error:
        if not stopping.is_set():
            teller.tell(_Failure(str(error)))


if __name__ == "__main__":
    # The same classes on both sides, not those of a module that is called differently here.
    from napari_sam2.batch import apart

    apart.main()
