"""A report notebook with parameters → its page and JSON twin, as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from senderscore_nb.errors import ReportError
from senderscore_nb.reports.notebooks import declared_of, find_notebook
from senderscore_nb.reports.parameters import check_parameters
from senderscore_nb.reports.pool import WorkerPool
from senderscore_nb.reports.runners import Job, KernelRunner, Made, PoolRunner, Progress
from senderscore_nb.safe import safe_filename, write_atomically

EngineName = Literal["workers", "kernel"]


@dataclass(frozen=True)
class ReportOutput:
    """Where a report was written.

    Attributes:
        page: The HTML file.
        twin: The JSON file with the same figures, or None where the notebook shows none.
    """

    page: Path
    twin: Path | None


def run_report(
    notebook: str | Path,
    parameters: Mapping[str, Any],
    output: str | Path,
    *,
    name: str | None = None,
    engine: EngineName = "workers",
    progress: Progress | None = None,
) -> ReportOutput:
    """Run a report notebook and write its page, and the JSON twin beside it.

    Parameters are checked by name and type first. Each file appears whole or not at all. Where the
    notebook fails, nothing is written to the output folder.

    Args:
        notebook: A name of `notebook_names`, or the path of a notebook.
        parameters: Values for the notebook's parameters cell: JSON values, days as ISO text.
        output: The folder to write to; made if missing.
        name: The files' name without ending; made from notebook, sender, period and what is
            selected unless given.
        engine: `workers`, or `kernel` for an ordinary kernel. Both make the same page.
        progress: Called with the cells done and the number of cells.

    Raises:
        ReportError: No such notebook, or it failed.
        ParameterError: An unknown parameter, or one of the wrong type.
        SenderScoreError: What the notebook said of its data.
    """
    path = find_notebook(notebook)
    job = Job(path, check_parameters(parameters, declared_of(path), where=path.name))
    if engine == "kernel":
        made = KernelRunner().make(job, progress)
    else:
        with WorkerPool(1) as pool:
            made = PoolRunner(pool).make(job, progress)
    stem = safe_filename(name or _name(path, made.twin, job.parameters))
    return write_report(made, Path(output), stem)


def write_report(made: Made, folder: Path, stem: str) -> ReportOutput:
    """Write a page, after its JSON twin, so that there is no page without it.

    Args:
        made: The report.
        folder: Where to; made if missing.
        stem: The files' name without ending, safe as it is.

    Raises:
        ReportError: They cannot be written.
    """
    page, data = folder / f"{stem}.html", folder / f"{stem}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if made.twin is not None:
            text = json.dumps(made.twin, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
            write_atomically(data, text)
        write_atomically(page, made.html)
    except OSError as error:
        raise ReportError(f"The report cannot be written ({error}).", where=str(folder)) from None
    return ReportOutput(page, data if made.twin is not None else None)


_SAME_REPORT = ("data", "mapping", "timezone", "roster", "period")


def _name(path: Path, twin: Mapping[str, Any] | None, parameters: Mapping[str, Any]) -> str:
    """Notebook, sender, period, and whatever makes it another report than the usual one."""
    parts = [path.stem]
    special = {k: v for k, v in parameters.items() if k not in _SAME_REPORT}
    if twin:
        if twin.get("sender"):
            parts.append(str(twin["sender"][0]["user_label"]))
            special.pop("users", None)
        parts.append(str(twin.get("period", "")))
    for kind in ("policy", "candidate"):
        # Not the whole path, which says whose machine it was made on.
        parts.append(Path(special.pop(kind, "")).stem)
    for value in special.values():
        parts += map(str, value) if isinstance(value, list) else [str(value)]
    return "-".join(part for part in parts if part)
