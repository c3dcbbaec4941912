"""Small notebooks for the tests."""

from __future__ import annotations

from pathlib import Path

import nbformat


def write_notebook(path: Path, *cells: str, parameters: str = "x: int = 1") -> Path:
    """A notebook of cells: Python, or markdown where they begin with `#`."""
    v4 = nbformat.v4
    made = [v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    for cell in cells:
        made.append(v4.new_markdown_cell(cell) if cell.startswith("#") else v4.new_code_cell(cell))
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(cells=made, metadata={"kernelspec": spec})
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path
