"""What an executed notebook holds: headings, prose and outputs, as page and mail show them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from markupsafe import Markup
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from senderscore_nb.reports.blocks import SUMMARY_MIME, Notice, plain
from senderscore_nb.reports.clean import clean_html

VEGALITE = re.compile(r"application/vnd\.vegalite\.v\d+\+json")
"""The kinds of output that are a chart's specification."""

_HEADING = re.compile(r"<h([1-6])[^>]*>(.*?)</h\1>", re.DOTALL)


def chart_in(html: str) -> dict[str, Any] | None:
    """The specification in the HTML that Altair's own renderer shows a chart as, or None.

    >>> chart_in('<script>(function(s){vegaEmbed(s)})({"mark": "bar"}, {});</script>')
    {'mark': 'bar'}
    """
    start = html.find("})({")
    if "vegaEmbed" not in html or start < 0:
        return None
    try:
        spec, _ = json.JSONDecoder().raw_decode(html, start + 3)
    except ValueError:
        return None
    return spec if isinstance(spec, dict) else None


def spec_of(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The specification of an output that is a chart, however it is given."""
    for mime, value in data.items():
        if VEGALITE.fullmatch(mime):
            return dict(value)
    return chart_in("".join(data.get("text/html", "")))


def prose_of(cell: Any) -> str:
    """A markdown cell as harmless HTML."""
    return _prose(str(cell.source))


@lru_cache(maxsize=64)
def _prose(source: str) -> str:
    # The pages of a notebook share most of their prose.
    return clean_html(markdown2html_mistune(source))


def summary_of(notebook: Any, notices: Sequence[Notice] = ()) -> dict[str, Any] | None:
    """The JSON twin that the notebook displayed, if it did, with the alerts of its page."""
    alerts = [dict(notice.data) or {"sentence": notice.text} for notice in notices]
    for _, output in _outputs(notebook):
        if SUMMARY_MIME in output.get("data", {}):
            return {**plain(output["data"][SUMMARY_MIME]), "alerts": alerts}
    return {"alerts": alerts} if alerts else None


def title_of(notebook: Any) -> str:
    """The heading of the first level, or "Report"."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for level, heading, _ in headings(prose_of(cell)):
                if level == 1:
                    return str(heading)
    return "Report"


def headings(html: str) -> list[tuple[int, str, str]]:
    """Headings with the HTML that follows each; level 0 for what stands before the first."""
    parts = []
    found = list(_HEADING.finditer(html))
    if not found or html[: found[0].start()].strip():
        parts.append((0, "", html[: found[0].start()] if found else html))
    for i, match in enumerate(found):
        end = found[i + 1].start() if i + 1 < len(found) else len(html)
        heading = Markup(match[2]).striptags().removesuffix("¶").strip()  # noqa: S704
        parts.append((int(match[1]), heading, html[match.end() : end]))
    return parts


def joined(outputs: Sequence[Any]) -> list[Any]:
    """Outputs with neighbouring pieces of one stream put together: kernels cut them anywhere."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == "stream" and last.get("name") == output.name:
            joined[-1] = type(output)({**last, "text": last.text + output.text})
        else:
            joined.append(output)
    return joined


def _outputs(notebook: Any) -> list[tuple[Any, Any]]:
    return [(c, o) for c in notebook.cells if c.cell_type == "code" for o in c.get("outputs", [])]
