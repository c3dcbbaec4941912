"""One worker process, seen from the run that uses it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from senderscore_nb.errors import ReportError
from senderscore_nb.reports.wire import receive, send

_START = (
    "from senderscore_nb.lean import spare_grammar; spare_grammar();"
    "from senderscore_nb.reports.worker import main; main()"
)
START_SECONDS = 120.0
"""How long a worker may take to import what it needs."""

_LOOKS_FOR_CHILDREN = 15

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What one notebook may use.

    Attributes:
        seconds: From its first cell to its page.
        memory_mb: Of its process and what that starts.
        output_mb: Of all its outputs together.
    """

    seconds: float = 600
    memory_mb: float = 4000
    output_mb: float = 50


class CancelledError(ReportError):
    """The run was called off."""


class Worker:
    """The run's side of one worker process.

    Args:
        limits: What a notebook may use.
        environment: The process's environment; this one's unless given.
    """

    def __init__(self, limits: Limits, environment: Mapping[str, str] | None = None) -> None:
        self.limits = limits
        self.shared_by: str | None = None
        self._ended_for: str | None = None
        self._until: float | None = None
        self._starting = False
        self._looks = 0
        given = dict(os.environ if environment is None else environment)
        self._home = tempfile.TemporaryDirectory(
            prefix="ss-worker-", dir=_temporary(given), ignore_cleanup_errors=True
        )
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env={
                **given,
                "IPYTHONDIR": self._home.name,
                "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            },
            start_new_session=True,
        )
        self._to = cast(BinaryIO, self._process.stdin)
        self._from = cast(BinaryIO, self._process.stdout)
        self._ready = False

    def begin(self, folder: str) -> None:
        """Start a notebook: a fresh namespace, in a folder, with the whole time before it."""
        if not self._ready:
            self._until, self._starting = time.monotonic() + START_SECONDS, True
            self._wait_until_ready()
        self._until, self._starting = time.monotonic() + self.limits.seconds, False
        self.ask({"do": "begin", "folder": folder, "most_bytes": self._most_output})

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a message and wait for its answer.

        Raises:
            ReportError: The worker used more than it may, or died.
            CancelledError: The run was called off.
        """
        try:
            send(self._to, message)
            # A page repeats its outputs: as specification, as picture and as table.
            answer = receive(self._from, most_bytes=20 * self._most_output + 50_000_000)
        except (OSError, ValueError):
            answer = None
        if answer is None:
            raise self._obituary()
        if answer.get("error") == "output":
            self.end("output")
            raise self._obituary()
        if answer.get("error"):
            raise ReportError(f"It cannot be shown ({answer.get('text', answer['error'])}).")
        return answer

    def finish(self) -> None:
        """End the notebook; the worker is free for the next one."""
        self._until = None
        if self.ask({"do": "end"}).get("unfit"):
            self.end("unfit")

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked anything."""
        return self._ended_for is None and self._process.poll() is None

    @property
    def memory_mb(self) -> float:
        """What its processes hold at present."""
        import psutil

        held = self._own_memory()
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self._process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    held += process.memory_info().rss
        return held / _MEGABYTE

    def _own_memory(self) -> int:
        import psutil

        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def watch(self) -> None:
        """End it where it has used more than it may."""
        if self._until is None or not self.is_alive:
            return
        if time.monotonic() > self._until:
            self.end("start" if self._starting else "seconds")
        elif self._holds_too_much():
            self.end("memory")

    def _holds_too_much(self) -> bool:
        """Whether it holds more than it may; looking for what it started takes long, so seldom."""
        self._looks += 1
        if self._looks % _LOOKS_FOR_CHILDREN:
            return self._own_memory() / _MEGABYTE > self.limits.memory_mb
        return self.memory_mb > self.limits.memory_mb

    def end(self, why: str = "closed") -> None:
        """End the process, and whatever it started."""
        if self._ended_for is None:
            self._ended_for = why
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def close(self) -> None:
        """End the process and give back what it held."""
        self.end()
        self._process.wait()
        for stream in (self._to, self._from, self._complaints):
            with contextlib.suppress(OSError):
                stream.close()
        self._home.cleanup()

    @property
    def _most_output(self) -> int:
        return int(self.limits.output_mb * _MEGABYTE)

    def _wait_until_ready(self) -> None:
        if not self._ready:
            if receive(self._from) is None:
                raise self._obituary()
            self._ready = True

    def _obituary(self) -> ReportError:
        limits = self.limits
        match self._ended_for:
            case "start":
                return ReportError(f"A worker did not start within {START_SECONDS:g} seconds.")
            case "seconds":
                return ReportError(
                    f"The notebook ran for more than {limits.seconds:g} seconds and was ended."
                )
            case "memory":
                return ReportError(
                    f"The notebook held more than {limits.memory_mb:g} MB and was ended."
                )
            case "output":
                return ReportError(
                    f"The notebook wrote more than {limits.output_mb:g} MB of output and was ended."
                )
            case "cancelled":
                return CancelledError("The run was called off.")
        code = self._process.wait()
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        return ReportError(f"The notebook's process ended {how}.{self._last_words()}")

    def _last_words(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode("utf-8", "replace").strip().splitlines()
        return f" It said: {lines[-1][:300]}" if lines else ""


def _temporary(environment: Mapping[str, str]) -> str | None:
    """The folder for temporary files that an environment names, where there is one."""
    named = environment.get("TMPDIR", "")
    return named if os.path.isdir(named) else None  # noqa: PTH112
