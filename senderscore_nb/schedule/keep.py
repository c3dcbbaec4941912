"""Looking after the pages: which are there as they were made, and removing old ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from senderscore_nb.errors import RunError
from senderscore_nb.safe import sweep
from senderscore_nb.schedule.history import History, Run
from senderscore_nb.schedule.index import write_index
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.lock import held
from senderscore_nb.schedule.project import Project


@dataclass(frozen=True)
class Kept:
    """A page of the ledger, and how its file is: `there`, `missing` or `changed`."""

    run: Run
    state: str


def pages(output: Path, history: History) -> list[Kept]:
    """The newest page of each target, compared with what the ledger says of it."""
    found = []
    for target in history.runs:
        run = history.made(target)
        if run is None or run.ended is None or run.id in history.pruned:
            continue
        file = output / str(run.ended["page"])
        try:
            same = hashlib.sha256(file.read_bytes()).hexdigest() == run.ended["sha256"]
            found.append(Kept(run, "there" if same else "changed"))
        except OSError:
            found.append(Kept(run, "missing"))
    return found


def prune(project: Project, *, keep: int | None = None, dry_run: bool = False) -> list[str]:
    """Remove the pages of periods before the newest ones; the ledger says so and stays whole.

    Args:
        project: The plan.
        keep: How many periods of each report stay; as the plan says unless given.
        dry_run: Only say what would be removed.

    Returns:
        The pages that were removed.

    Raises:
        RunError: A page cannot be removed, or another run is at work.
    """
    keep = project.plan.output.keep if keep is None else keep
    with held(project.output):
        ledger = Ledger(project.output)
        history = History.of(ledger.records())
        removed = []
        for run in _old(history, keep):
            page = str(run.ended["page"]) if run.ended else ""
            removed.append(page)
            if not dry_run:
                _remove(project.output, page)
                ledger.add("pruned", run=run.id, page=page)
        if not dry_run:
            sweep(project.output)
            write_index(project.output, History.of(ledger.records()))
        return removed


def _old(history: History, keep: int) -> list[Run]:
    found = []
    for name in dict.fromkeys(target.report for target in history.runs):
        periods = sorted({t.period for t in history.runs if t.report == name}, reverse=True)
        for target in history.runs:
            if target.report == name and target.period in periods[keep:]:
                run = history.made(target)
                if run is not None and run.id not in history.pruned:
                    found.append(run)
    return found


def _remove(output: Path, page: str) -> None:
    file = output / page
    if not file.resolve().is_relative_to(output.resolve()):
        raise RunError("The ledger names a page outside of the output folder.", where=page)
    try:
        file.with_suffix(".json").unlink(missing_ok=True)
        file.unlink(missing_ok=True)
        for folder in file.parents:
            if folder == output or any(folder.iterdir()):
                break
            folder.rmdir()
    except OSError as error:
        raise RunError(f"The page cannot be removed ({error}).", where=str(file)) from None
