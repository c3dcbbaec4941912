"""Warm workers: processes that have everything imported, lent to one notebook at a time.

A worker that runs too long, holds too much memory or writes too much is ended, and another one
takes its place. A worker is shared by the runs of one notebook only, so that what a notebook does
to its process reaches no other notebook.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Self

from senderscore_nb.reports.process import CancelledError, Limits, Worker

_WATCH_SECONDS = 0.1


class WorkerPool:
    """Workers for many notebooks; a context manager.

    Args:
        size: How many run at a time; one for each processor if 0.
        limits: What one notebook may use.
        environment: The workers' environment; this process's unless given.
    """

    def __init__(
        self,
        size: int = 0,
        limits: Limits | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.size = size or min(os.cpu_count() or 1, 16)
        self.limits = limits or Limits()
        self._environment = environment
        self._idle: list[Worker] = []
        self._all: list[Worker] = []
        self._change = threading.Condition()
        self._cancelled = False
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._watcher.join()
        with self._change:
            workers, self._all, self._idle = self._all, [], []
        for worker in workers:
            worker.close()

    @contextlib.contextmanager
    def worker(self, shared_by: str) -> Iterator[Worker]:
        """A worker, alone; it waits for one where all are at work.

        Args:
            shared_by: Whatever its runs have in common, such as the notebook's path.

        Raises:
            CancelledError: The runs were called off.
        """
        worker = self._take(shared_by)
        try:
            yield worker
        except BaseException:
            worker.end("failed")  # what it was doing is not known, so nobody else gets it
            raise
        finally:
            self._give_back(worker)

    def warm_up(self, workers: int) -> None:
        """Start workers now, so that they import while something else is done."""
        with self._change:
            while len(self._all) < min(workers, self.size):
                self._idle.append(self._started())

    def cancel(self) -> None:
        """Call off everything that runs, and all that would."""
        with self._change:
            self._cancelled = True
            for worker in self._all:
                worker.end("cancelled")
            self._change.notify_all()

    def _take(self, shared_by: str) -> Worker:
        with self._change:
            while not self._cancelled:
                worker = self._fitting(shared_by)
                if worker is not None:
                    worker.shared_by = shared_by
                    return worker
                self._change.wait()
        raise CancelledError("The run was called off.")

    def _fitting(self, shared_by: str) -> Worker | None:
        """An idle worker of the same notebook, or an unused one, or a new one."""
        for wanted in (shared_by, None):
            for worker in self._idle:
                if worker.shared_by == wanted:
                    self._idle.remove(worker)
                    return worker
        if len(self._all) >= self.size and self._idle:
            old = self._idle.pop(0)
            self._all.remove(old)
            old.close()
        return self._started() if len(self._all) < self.size else None

    def _started(self) -> Worker:
        worker = Worker(self.limits, self._environment)
        self._all.append(worker)
        return worker

    def _give_back(self, worker: Worker) -> None:
        with self._change:
            if worker.is_alive and worker in self._all:
                self._idle.append(worker)
            elif worker in self._all:
                self._all.remove(worker)
                worker.close()
            self._change.notify()

    def _watch(self) -> None:
        while not self._closing.wait(_WATCH_SECONDS):
            with self._change:
                workers = list(self._all)
            for worker in workers:
                worker.watch()
