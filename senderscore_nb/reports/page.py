"""An executed notebook → one HTML file that opens anywhere, without any network.

The page is an nbconvert template of ours. Everything that it needs is in it: the styles, the chart
runtime (once, compressed), the charts as specifications, and a static picture of each chart for
print and for browsers without scripts. Its Content-Security-Policy allows exactly the scripts and
styles that were written here, by their hashes, and nothing from anywhere else.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from senderscore_nb.charts import theme
from senderscore_nb.reports.blocks import FIGURE_MIME, SUMMARY_MIME
from senderscore_nb.reports.clean import clean_html

_VEGALITE = re.compile(r"application/vnd\.vegalite\.v\d+\+json")
# Attributes of a drawn chart that change nothing in a picture.
_IDLE = re.compile(
    r' (?:(?:class|role|aria-[a-z]+|pointer-events|version|xmlns:xlink)="[^"]*"|opacity="1")'
)
_FONT = re.compile(r' font-family="[^"]*"')
_COORDINATES = re.compile(r' (?:d|transform|x|y|x1|x2|y1|y2|width|height|points)="[^"]*"')
_HEADING = re.compile(r"<h([1-6])[^>]*>(.*?)</h\1>", re.DOTALL)


@dataclass
class Section:
    """A heading of the second level with what stands under it."""

    title: str
    anchor: str = ""
    blocks: list[Markup] = field(default_factory=list)


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
        page = build_page(nb)
        return super().from_notebook_node(nb, {**(resources or {}), "page": page}, **kw)


def render_page(notebook: Any) -> str:
    """The HTML page of an executed notebook.

    Charts are shown through the runtime and, without scripts and on paper, as pictures. Outputs of
    other kinds are shown as text; HTML is cut down to harmless elements.

    Args:
        notebook: A notebook node with outputs.
    """
    html, _ = PageExporter().from_notebook_node(notebook)  # type: ignore[no-untyped-call]
    return html


def summary_of(notebook: Any) -> dict[str, Any] | None:
    """The JSON twin that the notebook displayed, if it did."""
    for _, output in _outputs(notebook):
        if SUMMARY_MIME in output.get("data", {}):
            return dict(output["data"][SUMMARY_MIME])
    return None


def build_page(notebook: Any) -> dict[str, Any]:
    """What the template fills in."""
    figures: list[dict[str, Any]] = []
    sections = [Section("")]
    title = "Report"
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            html = clean_html(markdown2html_mistune(cell.source))
            for level, heading, rest in _headings(html):
                if level == 1:
                    title = heading
                elif level == 2:
                    sections.append(Section(heading, _anchor(heading, len(sections))))
                elif heading:
                    sections[-1].blocks.append(Markup("<h3>{}</h3>").format(heading))
                if rest.strip():
                    prose = Markup('<div class="prose">{}</div>')
                    sections[-1].blocks.append(prose.format(Markup(rest)))  # noqa: S704
        elif cell.cell_type == "code":
            for output in cell.get("outputs", []):
                sections[-1].blocks += _shown(output, figures)
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
        "title": title,
        "lead": sections[0].blocks,
        "sections": sections[1:],
        "charts": _packed(charts.encode()),
        "has_figures": bool(figures),
        "style": Markup(style),  # noqa: S704
        "loader": Markup(loader),  # noqa: S704
        "runtime": bundle.packed,
        "csp": "; ".join(
            (
                "default-src 'none'",
                f"script-src '{_hash(loader)}' '{bundle.hash}'",
                f"style-src '{_hash(style)}'",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
            )
        ),
    }


@dataclass(frozen=True)
class Runtime:
    """The chart runtime: gzip in base64, and the hash that the policy allows it by."""

    packed: str
    hash: str


@cache
def runtime() -> Runtime:
    """Vega, Vega-Lite and vega-embed from the installed vl-convert."""
    import vl_convert

    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=vl_version())
    return Runtime(_packed(code.encode()), _hash(code))


def vl_version() -> str:
    """The Vega-Lite version that Altair writes, as vl-convert names it."""
    import altair

    major, minor, *_ = altair.SCHEMA_VERSION.lstrip("v").split(".")
    return f"{major}.{minor}"


def static_svg(spec: Mapping[str, Any]) -> str:
    """The chart as a picture, in light colours; the description stands beside it."""
    import vl_convert

    config = {**theme("light"), **spec.get("config", {}), "aria": False, "background": "white"}
    svg: str = vl_convert.vegalite_to_svg({**spec, "config": config}, vl_version=vl_version())
    return _slim(svg)


def _slim(svg: str) -> str:
    """The same picture in fewer bytes: only inside tags, never in a name that is shown."""
    tags = re.compile(r"<[^>]*>")
    fonts = Counter(font for t in tags.findall(svg) for font in _FONT.findall(t))
    common = fonts.most_common(1)[0][0] if fonts else ""

    def slim(match: re.Match[str]) -> str:
        tag = _IDLE.sub("", match[0])
        tag = tag.replace(common, "") if common else tag
        return _COORDINATES.sub(lambda m: re.sub(r"(\d\.\d)\d+", r"\1", m[0]), tag)

    slimmed = re.sub(r'<path [^>]*\bd=""[^>]*/>', "", tags.sub(slim, svg))
    return slimmed.replace("<svg", f"<svg{common}", 1)


def data_uri(svg: str) -> str:
    """A picture's address; shorter than base64 and the same to every browser."""
    return "data:image/svg+xml," + quote(svg, safe=" !$&'()*+,-./:;=?@[]_~^`{|}<>\n\"")


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
    spec = next((data[mime] for mime in data if _VEGALITE.fullmatch(mime)), None)
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


def _headings(html: str) -> list[tuple[int, str, str]]:
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


def _outputs(notebook: Any) -> list[tuple[Any, Any]]:
    return [(c, o) for c in notebook.cells if c.cell_type == "code" for o in c.get("outputs", [])]


def _asset(name: str) -> str:
    folder = resources.files("senderscore_nb").joinpath("reports", "template", "senderscore")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _packed(content: bytes) -> str:
    """Gzip in base64, which can stand in a script element whatever the content is."""
    return base64.b64encode(gzip.compress(content, compresslevel=9, mtime=0)).decode()


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
