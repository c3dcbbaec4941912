"""Report notebooks: found by name or path, read, and asked for their parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from senderscore_nb.errors import ReportError, did_you_mean
from senderscore_nb.reports.parameters import declared_parameters
from senderscore_nb.safe import safe_filename


def notebook_names() -> tuple[str, ...]:
    """The report notebooks that come with the package."""
    return tuple(sorted(p.stem for p in own_folder().glob("*.ipynb")))


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
    ours = own_folder() / f"{safe_filename(str(notebook))}.ipynb"
    if ours.is_file() and str(notebook) in notebook_names():
        return ours
    raise ReportError(
        f"There is no report notebook {str(notebook)!r}.",
        hint=did_you_mean(str(notebook), notebook_names()) + " Or give the path of an .ipynb file.",
    )


def read_notebook(path: Path) -> Any:
    """A notebook's node.

    Raises:
        ReportError: It cannot be read, or is not a notebook.
    """
    import nbformat

    try:
        text = path.read_text(encoding="utf-8")
        return nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise ReportError(f"Not a notebook that can be read ({error}).", where=str(path)) from None


def declared_of(path: Path) -> dict[str, Any]:
    """Names and types of a notebook's parameters.

    Raises:
        ReportError: It cannot be read, or has no parameters cell.
    """
    return declared_parameters(read_notebook(path), where=path.name)


def own_folder() -> Path:
    """The notebooks in the installed package, or those of the checkout beside it."""
    package = Path(__file__).parents[1]
    installed = package / "notebooks" / "reports"
    return installed if installed.is_dir() else package.parent / "notebooks" / "reports"
