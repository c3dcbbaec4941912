"""Child processes, each with its own seconds and peak memory.

This process stays small on purpose: on Linux a child's peak begins at its parent's.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CORES = "2"


@dataclass(frozen=True)
class Measured:
    """One run: seconds, the processor's seconds, the peak in MB, and what came out."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    facts: dict[str, Any]


def tell(work: Callable[[], Any], check: Callable[[Any], dict[str, Any]]) -> None:
    """Do a piece of work in this process, and print its seconds, its peak and what came out."""
    started, busy = time.perf_counter(), time.process_time()
    result = work()
    said = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - busy,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps({**said, "facts": check(result)}))


def run(arguments: list[str]) -> Measured:
    """Run a child to its end. Its last line, where it is JSON, gives the figures of the work alone.

    Raises:
        SystemExit: The child failed; its own words are in the message.
    """
    environment = dict(os.environ, POLARS_MAX_THREADS=CORES, OMP_NUM_THREADS=CORES)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        child = subprocess.Popen(arguments, stdout=out, stderr=err, cwd=ROOT, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    if child.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed ({child.returncode}):\n{texts[1][-2000:]}")
    said = _said(texts[0])
    unit = 1024 if sys.platform == "linux" else 1024**2
    return Measured(
        seconds=said.get("seconds", seconds),
        cpu_seconds=said.get("cpu_seconds", usage.ru_utime + usage.ru_stime),
        peak_mb=said.get("peak", usage.ru_maxrss) / unit,
        facts=said.get("facts", {}),
    )


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def console(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("senderscore")), *arguments]


def _said(text: str) -> dict[str, Any]:
    lines = text.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        return {}
    said = json.loads(lines[-1])
    return said if isinstance(said, dict) else {}
