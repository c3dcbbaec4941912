"""An executed notebook → the mail that tells of its report.

In the mail are the title, notices, and the outputs of the cells that are tagged `mail`, under their
headings; where no cell is tagged, the lead and the first section. Charts become pictures inside
the mail. Nothing is loaded from anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup, escape

from senderscore_nb.reports.blocks import FIGURE_MIME, SUMMARY_MIME, Notice
from senderscore_nb.reports.clean import clean_html
from senderscore_nb.reports.mail import layout as mail_layout
from senderscore_nb.reports.mail.parts import Line, Part, Picture, Run, parse_html
from senderscore_nb.reports.mail.pictures import SCALE, chart_png, decoded, picture
from senderscore_nb.reports.mail.text import to_text
from senderscore_nb.reports.outputs import (
    headings,
    joined,
    prose_of,
    spec_of,
    summary_of,
    title_of,
)
from senderscore_nb.reports.words import standing, together
from senderscore_nb.safe import shown

TAG = "mail"
"""The tag of the cells whose outputs stand in the mail."""

MOST_SUBJECT = 150
_MOST_NOTICES, _MOST_IN_NOTICE, _MOST_IN_ALT = 10, 500, 600


@dataclass(frozen=True)
class MailBody:
    """What a mail says, before it is known to whom.

    Attributes:
        subject: One line.
        html: HTML that names its pictures by content id.
        text: The same as plain text.
        pictures: What the HTML names.
    """

    subject: str
    html: str
    text: str
    pictures: tuple[Picture, ...] = ()

    def pointing(self, words: str, link: str = "") -> MailBody:
        """The same with a line about the full report at the top and at the bottom.

        Args:
            words: The line, as plain text; the label of the link where there is one.
            link: The address of the report.
        """
        line = mail_layout.paragraph(mail_layout.link(link, words) if link else escape(words))
        said = f"{words}: {link}" if link else words
        html = self.html.replace(mail_layout.TOP, line).replace(mail_layout.BOTTOM, line)
        title, _, rest = self.text.partition("\n\n")
        return replace(self, html=html, text=f"{title}\n\n{said}\n\n{rest}\n{said}\n")


def mail_body(
    notebook: Any,
    twin: Mapping[str, Any] | None = None,
    *,
    notices: Sequence[Notice] = (),
    title: str = "",
) -> MailBody:
    """The mail that tells of a report.

    Args:
        notebook: A notebook node with outputs.
        twin: The report's JSON twin, for the subject; the notebook's own unless given.
        notices: What stands on top.
        title: Its heading; the notebook's own unless given.

    Returns:
        Subject of at most 150 characters, HTML below 100 kB, text, and the pictures.
    """
    title = shown(title or title_of(notebook), most=MOST_SUBJECT)
    parts = list(_parts(notebook))
    said = _said(notices)
    html = _sound(mail_layout.to_html(title, said, parts))
    pictures = {p.cid: p for p in parts if isinstance(p, Picture) and f'"cid:{p.cid}"' in html}
    return MailBody(
        subject(title, twin if twin is not None else summary_of(notebook)),
        html,
        _sound(to_text(title, said, parts)),
        tuple(pictures.values()),
    )


def _sound(text: str) -> str:
    """The text as it can be encoded: half a surrogate pair becomes a question mark."""
    return str(text).encode("utf-8", "replace").decode()


def subject(title: str, twin: Mapping[str, Any] | None) -> str:
    """Title, period and headline in one line.

    The period is the twin's `period` or `week`, the headline its `headline`, or where the one
    sender or everyone together stands.

    >>> subject("Sender score, weekly", {"week": "2026-W46", "headline": "all is well"})
    'Sender score, weekly: 2026-W46 – all is well'
    """
    twin = twin or {}
    period = str(twin.get("period") or twin.get("week") or "")
    headline = str(twin.get("headline") or _standing(twin))
    begun = f"{title}: {period}" if period else title
    return " ".join(
        shown(f"{begun} – {headline}" if headline else begun, most=MOST_SUBJECT).split()
    )


def _standing(twin: Mapping[str, Any]) -> str:
    everything = twin.get("selection", "everything") == "everything"
    who_all = together(everything=everything).casefold()
    for name, who in (("sender", ""), ("everyone", who_all)):
        rows = twin.get(name)
        if isinstance(rows, list) and len(rows) == 1:
            try:
                words = standing(rows[0], "").removeprefix(": ")
                who = who or shown(rows[0]["user_label"], most=50)
            except (KeyError, TypeError, ValueError):
                return ""  # another notebook's rows of the same name
            return f"{who}: {words.split('. ')[0].rstrip('.')}"
    return ""


def _said(notices: Sequence[Notice]) -> list[tuple[str, str]]:
    said: list[tuple[str, str]]
    said = [(n.kind, shown(n.text, most=_MOST_IN_NOTICE)) for n in notices[:_MOST_NOTICES]]
    if left := len(notices) - len(said):
        said.append((notices[-1].kind, f"… and {left} more in the full report"))
    return said


@dataclass(frozen=True)
class _Piece:
    """Prose or an output, with the headings that it stands under."""

    section: int
    headings: tuple[str, str]
    tagged: bool
    content: Any


def _pieces(notebook: Any) -> Iterator[_Piece]:
    section, above = 0, ("", "")
    for cell in notebook.cells:
        tagged = TAG in cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            for level, heading, rest in headings(prose_of(cell)):
                if level == 2:
                    section, above = section + 1, (heading, "")
                elif level > 2:
                    above = (above[0], heading)
                if rest.strip():
                    yield _Piece(section, above, tagged, rest)
        elif cell.cell_type == "code":
            for output in joined(cell.get("outputs", [])):
                yield _Piece(section, above, tagged, output)


def _parts(notebook: Any) -> Iterator[Part]:
    pieces = list(_pieces(notebook))
    chosen = [p for p in pieces if p.tagged] or [p for p in pieces if p.section <= 1]
    place: tuple[int, str, str] = (0, "", "")
    pictures = 0
    for piece in chosen:
        content = piece.content
        parts = parse_html(content) if isinstance(content, str) else _shown(content, pictures)
        if not parts:
            continue
        pictures += sum(isinstance(p, Picture) for p in parts)
        above, below = piece.headings
        if piece.section != place[0] and above:
            yield Line(Run.of(above), "h2")
        if below and (piece.section, above, below) != place:
            yield Line(Run.of(below), "h3")
        place = (piece.section, above, below)
        yield from parts


def _shown(output: Any, number: int) -> list[Part]:
    kind, data = output.output_type, output.get("data", {})
    if kind == "stream":
        return _pre(output.text) if output.name == "stdout" else []
    if kind == "error":
        return [Line(Run.of(f"{output.ename}: {output.evalue}"))]
    if SUMMARY_MIME in data:
        return []
    if FIGURE_MIME in data:
        figure = data[FIGURE_MIME]
        return _chart(figure["spec"], str(figure.get("caption") or ""), number)
    if spec := spec_of(data):
        return _chart(spec, "", number)
    if "text/html" in data:
        return parse_html(clean_html("".join(data["text/html"])))
    if "image/png" in data and (png := decoded("".join(data["image/png"]))):
        return [picture(png, "A picture without a description.", number, scale=1)]
    return _pre("".join(data.get("text/plain", "")))


def _pre(text: str) -> list[Part]:
    return parse_html(str(Markup("<pre>{}</pre>").format(text)))


def _chart(spec: Mapping[str, Any], caption: str, number: int) -> list[Part]:
    alt = shown(spec.get("description") or caption or "Chart", most=_MOST_IN_ALT)
    below = [Line(Run.of(caption), "muted")] if caption else []
    try:
        png = chart_png(spec)
    except ValueError:  # a specification that cannot be drawn without its page
        return [Line(Run.of(f"Chart: {alt}")), *below]
    return [picture(png, alt, number, scale=SCALE), *below]
