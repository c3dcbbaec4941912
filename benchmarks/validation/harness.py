"""Finds the topics, runs their studies in processes, and gathers what they found."""

from __future__ import annotations

import os
import pkgutil
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context

import benchmarks.validation as package
from benchmarks.process import CORES
from benchmarks.validation.finding import Finding

ACCOUNTS = 1_000
QUICK_ACCOUNTS = 6


@dataclass(frozen=True)
class Topic:
    """A topic's findings, in the order of its parts, and the processor's seconds they took."""

    name: str
    title: str
    findings: list[Finding]
    cpu_seconds: float


def topics() -> list[str]:
    """The modules of this package that have a study."""
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [name for name in names if hasattr(_module(name), "study")]


def parts(topic: str) -> list[str]:
    """The parts of a topic that can be run side by side; `study` where it has none."""
    return [part.__name__ for part in getattr(_module(topic), "PARTS", ())] or ["study"]


def validate(
    accounts: int, seed: int, say: Callable[[str], None], *, names: list[str] | None = None
) -> list[Topic]:
    """Run the studies over so many simulated accounts, two at a time.

    Args:
        accounts: How many accounts each study simulates.
        seed: Of the accounts.
        say: Called with a line for each part that is done.
        names: The topics; all of them unless given.
    """
    tasks = [(topic, part) for topic in names or topics() for part in parts(topic)]
    found: dict[tuple[str, str], tuple[list[Finding], float]] = {}
    # One thread each: the studies themselves are what runs side by side.
    kept = os.environ.get("POLARS_MAX_THREADS")
    os.environ["POLARS_MAX_THREADS"] = "1"
    try:
        with ProcessPoolExecutor(int(CORES), get_context("spawn")) as pool:
            futures = {pool.submit(run, *task, accounts, seed): task for task in tasks}
            for done in as_completed(futures):
                task = futures[done]
                found[task] = done.result()
                say(f"[{len(found)}/{len(tasks)}] {task[0]}: {task[1]}, {found[task][1]:.0f} s")
    finally:
        if kept is None:
            os.environ.pop("POLARS_MAX_THREADS")
        else:
            os.environ["POLARS_MAX_THREADS"] = kept
    return [_topic(name, tasks, found) for name in dict.fromkeys(topic for topic, _ in tasks)]


def run(topic: str, part: str, accounts: int, seed: int) -> tuple[list[Finding], float]:
    """One part of a topic, in this process, and the processor's seconds it took."""
    started = time.process_time()
    findings = getattr(_module(topic), part)(accounts, seed)
    return findings, time.process_time() - started


def _topic(
    name: str,
    tasks: list[tuple[str, str]],
    found: dict[tuple[str, str], tuple[list[Finding], float]],
) -> Topic:
    own = [found[task] for task in tasks if task[0] == name]
    title = (_module(name).__doc__ or name).strip().splitlines()[0].rstrip(".")
    findings = [finding for some, _ in own for finding in some]
    return Topic(name, title, findings, sum(seconds for _, seconds in own))


def _module(name: str) -> object:
    return import_module(f"{package.__name__}.{name}")
