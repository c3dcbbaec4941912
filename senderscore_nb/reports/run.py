"""A report notebook with parameters → the page and its JSON twin."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from senderscore_nb import errors
from senderscore_nb.errors import ReportError, did_you_mean
from senderscore_nb.reports.page import render_page, summary_of
from senderscore_nb.reports.parameters import check_parameters, declared_parameters
from senderscore_nb.safe import safe_filename, write_atomically

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReportOutput:
    """Where a report was written.

    Attributes:
        page: The HTML file.
        twin: The JSON file with the same figures, or None where the notebook shows none.
    """

    page: Path
    twin: Path | None


def notebook_names() -> tuple[str, ...]:
    """The report notebooks that come with the package."""
    return tuple(sorted(p.stem for p in _folder().glob("*.ipynb")))


def find_notebook(notebook: str | Path) -> Path:
    """A report notebook by name, or by path.

    Raises:
        ReportError: There is none.
    """
    path = Path(notebook)
    if path.suffix == ".ipynb":
        if path.is_file():
            return path
        raise ReportError("There is no such notebook.", where=str(notebook))
    ours = _folder() / f"{safe_filename(str(notebook))}.ipynb"
    if ours.is_file() and str(notebook) in notebook_names():
        return ours
    raise ReportError(
        f"There is no report notebook {str(notebook)!r}.",
        hint=did_you_mean(str(notebook), notebook_names()) + " Or give the path of an .ipynb file.",
    )


def run_report(
    notebook: str | Path,
    parameters: Mapping[str, Any],
    output: str | Path,
    *,
    name: str | None = None,
    progress: Progress | None = None,
) -> ReportOutput:
    """Run a report notebook and write its page, and the JSON twin beside it.

    Parameters are checked by name and type first. Each file appears whole or not at all. Where the
    notebook fails, nothing is written to the output folder.

    Args:
        notebook: A name of `notebook_names`, or the path of a notebook.
        parameters: Values for the notebook's parameters cell: JSON values, days as ISO text.
        output: The folder to write to; made if missing.
        name: The files' name without ending; made from notebook, sender, week and what is
            selected unless given.
        progress: Called with the cells done and the number of cells.

    Raises:
        ReportError: No such notebook, or it failed.
        ParameterError: An unknown parameter, or one of the wrong type.
        SenderScoreError: What the notebook said of its data.
    """
    import nbformat

    path = find_notebook(notebook)
    try:
        text = path.read_text(encoding="utf-8")
        source = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise ReportError(f"Not a notebook that can be read ({error}).", where=str(path)) from None
    declared = declared_parameters(source, where=path.name)
    checked = check_parameters(parameters, declared, where=path.name)
    executed = _execute(path, checked, progress)
    html, twin = render_page(executed), summary_of(executed)
    folder = Path(output)
    stem = safe_filename(name or _name(path, twin, checked))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        page = folder / f"{stem}.html"
        write_atomically(page, html)
        data = folder / f"{stem}.json" if twin is not None else None
        if data:
            text = json.dumps(twin, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
            write_atomically(data, text)
    except OSError as error:
        raise ReportError(f"The report cannot be written ({error}).", where=str(folder)) from None
    return ReportOutput(page, data)


def _execute(path: Path, parameters: dict[str, Any], progress: Progress | None) -> Any:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from senderscore_nb.reports import engine

    engine.register()
    try:
        return papermill.execute_notebook(
            str(path),
            None,
            parameters=parameters,
            engine_name=engine.NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            on_cell=progress,
        )
    except PapermillExecutionError as error:
        kind = getattr(errors, error.ename, None)
        if isinstance(kind, type) and issubclass(kind, errors.SenderScoreError):
            raise ReportError(_plain(error.evalue)) from None
        raise ReportError(
            f"Cell {error.exec_count} raised {error.ename}: {_plain(error.evalue)}.",
            where=path.name,
            hint="Run the notebook in JupyterLab to see where.",
        ) from None
    except (RuntimeError, ValueError, OSError) as error:
        raise ReportError(
            f"The notebook could not be run ({_plain(str(error))}).", where=path.name
        ) from None


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


_SAME_REPORT = ("data", "mapping", "timezone", "roster", "week")


def _name(path: Path, twin: Mapping[str, Any] | None, parameters: Mapping[str, Any]) -> str:
    """Notebook, sender, week, and whatever makes it another report than the usual one."""
    parts = [path.stem]
    special = {k: v for k, v in parameters.items() if k not in _SAME_REPORT}
    if twin:
        if twin.get("sender"):
            parts.append(str(twin["sender"][0]["user_label"]))
            special.pop("users", None)
        parts.append(str(twin.get("week", "")))
    for value in special.values():
        parts += map(str, value) if isinstance(value, list) else [str(value)]
    return "-".join(part for part in parts if part)


def _folder() -> Path:
    """The notebooks in the installed package, or those of the checkout beside it."""
    package = Path(__file__).parents[1]
    installed = package / "notebooks" / "reports"
    return installed if installed.is_dir() else package.parent / "notebooks" / "reports"
