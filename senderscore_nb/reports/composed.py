"""Blocks → the notebook that would have shown them, for pages that no notebook makes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import nbformat

from senderscore_nb.reports.blocks import Figure, Prose, Table

Block = Prose | Table | Figure


def notebook_of(title: str, parts: Iterable[tuple[str, list[Block]]]) -> Any:
    """A notebook with a title, and a section of blocks for each heading; the first may have none.

    Args:
        title: The page's heading, as Markdown.
        parts: Headings, as Markdown, with what stands under them.
    """
    v4 = nbformat.v4
    cells = [v4.new_markdown_cell(f"# {title}")]  # type: ignore[no-untyped-call]
    for heading, blocks in parts:
        if heading:
            cells.append(v4.new_markdown_cell(f"## {heading}"))  # type: ignore[no-untyped-call]
        outputs = [
            v4.new_output("display_data", data=_data(block))  # type: ignore[no-untyped-call]
            for block in blocks
        ]
        cells.append(v4.new_code_cell("", outputs=outputs))  # type: ignore[no-untyped-call]
    return v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]


def _data(block: Block) -> dict[str, Any]:
    if isinstance(block, Figure):
        return block._repr_mimebundle_()
    return {"text/html": block._repr_html_()}
