"""An executed notebook → one HTML file that opens anywhere, without any network.

The page is an nbconvert template of ours. Everything that it needs is in it: the styles, the chart
runtime (once, compressed), the charts as specifications, and a static picture of each chart for
print and for browsers without scripts. Its Content-Security-Policy allows exactly the scripts and
styles that were written here, by their hashes, and nothing from anywhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup
from nbconvert.exporters.templateexporter import TemplateExporter

from senderscore_nb.charts import theme
from senderscore_nb.reports.blocks import FIGURE_MIME, SUMMARY_MIME, Notice
from senderscore_nb.reports.clean import clean_html
from senderscore_nb.reports.outputs import headings, joined, prose_of, spec_of
from senderscore_nb.reports.pictures import data_uri, digest, packed, runtime, static_svg

OPTIONAL = "optional"
"""The tag of a heading that is shown only where something is shown under it."""


@dataclass
class Section:
    """A heading of the second level with what stands under it.

    One from a cell tagged `optional` is left out where nothing stands under it, and so is a heading
    of the third level within it.
    """

    title: str
    optional: bool = False
    anchor: str = ""
    blocks: list[Markup] = field(default_factory=list)
    waiting: list[Markup] = field(default_factory=list)

    def head(self, heading: Markup, optional: bool) -> None:
        """Begin a part of the section."""
        self.waiting = [heading] if optional else []
        if not optional:
            self.blocks.append(heading)

    def add(self, blocks: list[Markup]) -> None:
        """Add what stands under the last heading."""
        if blocks:
            self.blocks += [*self.waiting, *blocks]
            self.waiting = []


class PageExporter(TemplateExporter):
    """nbconvert exporter of the report page."""

    template_name = "senderscore"
    file_extension = ".html"
    output_mimetype = "text/html"

    def _template_name_default(self) -> str:
        return "senderscore"

    @property
    def template_paths(self) -> list[str]:  # type: ignore[override]  # noqa: D102
        here = str(Path(str(resources.files("senderscore_nb"))) / "reports" / "template")
        return [f"{here}/senderscore", here]

    def _create_environment(self) -> Environment:
        environment: Environment = super()._create_environment()  # type: ignore[no-untyped-call]
        environment.autoescape = True
        return environment

    def from_notebook_node(  # type: ignore[override]
        self, nb: Any, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """The page of an executed notebook."""
        given = resources or {}
        page = build_page(nb, given.get("notices", ()), title=given.get("title", ""))
        # The template shows the page alone; the cells would be copied, twice, for nothing.
        shell = type(nb)({**nb, "cells": []})
        return super().from_notebook_node(shell, {**given, "page": page}, **kw)


def render_page(notebook: Any, notices: Sequence[Notice] = (), *, title: str = "") -> str:
    """The HTML page of an executed notebook.

    Charts are shown through the runtime and, without scripts and on paper, as pictures. Outputs of
    other kinds are shown as text; HTML is cut down to harmless elements.

    Args:
        notebook: A notebook node with outputs.
        notices: What stands on top.
        title: Its heading; the notebook's own unless given.
    """
    exporter = PageExporter()  # type: ignore[no-untyped-call]
    html, _ = exporter.from_notebook_node(notebook, {"notices": notices, "title": title})
    return html


def build_page(notebook: Any, notices: Sequence[Notice] = (), *, title: str = "") -> dict[str, Any]:
    """What the template fills in."""
    figures: list[dict[str, Any]] = []
    sections = [Section("")]
    own = "Report"
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            html, optional = prose_of(cell), OPTIONAL in cell.metadata.get("tags", [])
            for level, heading, rest in headings(html):
                if level == 1:
                    own = heading
                elif level == 2:
                    sections.append(Section(heading, optional))
                elif heading:
                    sections[-1].head(Markup("<h3>{}</h3>").format(heading), optional)
                if rest.strip():
                    prose = Markup('<div class="prose">{}</div>')
                    sections[-1].add([prose.format(Markup(rest))])  # noqa: S704
        elif cell.cell_type == "code":
            for output in joined(cell.get("outputs", [])):
                sections[-1].add(_shown(output, figures))
    sections = [section for section in sections if section.blocks or not section.optional]
    for place, section in enumerate(sections):
        section.anchor = _anchor(section.title, place)
    style, loader, bundle = _asset("style.css"), _asset("page.js"), runtime()
    charts = json.dumps(
        {
            "specs": {f["id"]: f["spec"] for f in figures},
            "configs": {mode: theme(mode) for mode in ("light", "dark")},
        },
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    return {
        "title": title or own,
        "notices": notices,
        "lead": sections[0].blocks,
        "sections": sections[1:],
        "charts": packed(charts.encode()),
        "has_figures": bool(figures),
        "style": Markup(style),  # noqa: S704
        "loader": Markup(loader),  # noqa: S704
        "runtime": bundle.packed,
        "csp": "; ".join(
            (
                "default-src 'none'",
                f"script-src '{digest(loader)}' '{bundle.hash}'",
                f"style-src '{digest(style)}'",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
            )
        ),
    }


def _shown(output: Any, figures: list[dict[str, Any]]) -> list[Markup]:
    kind, data = output.output_type, output.get("data", {})
    if kind == "stream":
        return [Markup("<pre>{}</pre>").format(output.text)] if output.name == "stdout" else []
    if kind == "error":
        return [
            Markup('<p class="error" role="alert">{}: {}</p>').format(output.ename, output.evalue)
        ]
    if SUMMARY_MIME in data:
        return []
    spec = spec_of(data)
    if FIGURE_MIME in data:
        return [_figure(data[FIGURE_MIME], figures)]
    if spec is not None:
        return [_figure({"spec": spec, "caption": "", "table": ""}, figures)]
    if "text/html" in data:
        return [Markup(clean_html("".join(data["text/html"])))]  # noqa: S704
    for mime in ("image/png", "image/jpeg"):
        if mime in data:
            return [Markup('<img alt="" src="data:{};base64,{}">').format(mime, data[mime].strip())]
    if "text/plain" in data:
        return [Markup("<pre>{}</pre>").format("".join(data["text/plain"]))]
    return []


def _figure(figure: Mapping[str, Any], figures: list[dict[str, Any]]) -> Markup:
    spec = {k: v for k, v in figure["spec"].items() if k != "config"}
    own = figure["spec"].get("config")
    if own and own not in (theme("light"), theme("dark")):
        spec["config"] = own
    name = f"figure-{len(figures) + 1}"
    figures.append({"id": name, "spec": spec})
    picture = data_uri(static_svg(spec)).replace("&", "&amp;").replace('"', "&quot;")
    description = str(spec.get("description") or figure["caption"] or "Chart")
    table = Markup(clean_html(figure["table"])) if figure["table"] else ""  # noqa: S704
    details = (
        Markup("<details><summary>Data table</summary>{}</details>").format(table) if table else ""
    )
    return Markup(
        '<figure id="{name}"><div class="chart" tabindex="0" role="group" aria-label="{caption}">'
        '<img alt="{description}" src="{picture}">'
        '<div class="live" hidden></div></div>'
        "<figcaption>{caption}</figcaption>"
        "{details}</figure>"
    ).format(
        name=name,
        caption=figure["caption"] or "Chart",
        description=description,
        picture=Markup(picture),  # noqa: S704
        details=details,
    )


def _anchor(heading: str, place: int) -> str:
    """The section's place in the page's address; never an id that the page itself uses."""
    return f"s{place}-{re.sub(r'[^a-z0-9]+', '-', heading.casefold()).strip('-')}"


def _asset(name: str) -> str:
    folder = resources.files("senderscore_nb").joinpath("reports", "template", "senderscore")
    return folder.joinpath(name).read_text(encoding="utf-8")
