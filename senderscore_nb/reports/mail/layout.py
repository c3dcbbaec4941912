"""Parts of a mail → HTML that mail programs show.

Everything that is needed to read it stands in `style` attributes, because many programs drop style
sheets; the one sheet only adds dark colours and turns wide tables into lists on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from senderscore_nb.charts.theme import COLOURS
from senderscore_nb.reports.mail.parts import Cell, Grid, Line, Part, Picture

MOST_BYTES = 98_000
"""Of HTML, before the lines about the full report: some mail programs cut at 102 kB."""

MOST_ROWS = 20
TOP, BOTTOM = Markup("<!-- top -->"), Markup("<!-- bottom -->")
"""Where the lines about the full report go; text from data cannot look like these."""

WIDTH = 640
_SIDE = 16
_COLUMNS_ON_A_PHONE = 3
_LONGEST_WORD = 24
"""A longer word may break in a table, where it would push the other columns out of sight."""
_LIGHT, _DARK = COLOURS["light"], COLOURS["dark"]
_REST = "The rest is in the full report."

_STYLES = {
    "p": "margin:0 0 12px",
    "muted": f"margin:0 0 12px;color:{_LIGHT['muted']};font-size:14px",
    "li": "margin:0 0 6px",
    "h2": "margin:28px 0 10px;font-size:19px;line-height:1.3",
    "h3": "margin:18px 0 8px;font-size:16px;line-height:1.3",
    "pre": "margin:0 0 12px;white-space:pre-wrap;font-size:13px",
}
_NOTICES = {
    "alert": ("Alert", "#fdf0ea", _LIGHT["alert"]),
    "over": ("Over", "#f1f4f8", _LIGHT["edge"]),
    "provisional": ("Provisional", "#f1f4f8", _LIGHT["edge"]),
}
_OTHER_NOTICE = ("Note", "#f1f4f8", _LIGHT["edge"])
_SHEET = (
    f"@media (prefers-color-scheme:dark){{.page{{background:{_DARK['paper']}!important;"
    f"color:{_DARK['ink']}!important}}.muted{{color:{_DARK['muted']}!important}}"
    f".line{{border-color:{_DARK['line']}!important}}.link{{color:{_DARK['accent']}!important}}"
    f".notice{{background:#1f2632!important;color:{_DARK['ink']}!important}}"
    f".alert{{border-color:{_DARK['alert']}!important}}}}"
    "@media (max-width:520px){.wide thead{display:none!important}"
    ".wide,.wide caption,.wide tbody,.wide tr,.wide th,.wide td{display:block!important;"
    "width:auto!important;"
    "text-align:left!important;border-bottom:0!important;padding:1px 0!important;"
    "white-space:normal!important}"
    f".wide tr{{border-bottom:1px solid {_LIGHT['edge']}!important;padding:7px 0!important}}"
    ".wide .key{display:inline!important}}"
)


def to_html(title: str, notices: Sequence[tuple[str, str]], parts: Sequence[Part]) -> Markup:
    """The whole HTML, below `MOST_BYTES`: rows and then parts are left out until it is."""
    shown = [Markup("")]
    for most in (MOST_ROWS, 10, 5, 2):
        shown = _blocks(parts, most)
        page = _page(title, notices, shown)
        if _bytes(page) <= MOST_BYTES:
            return page
    rest = Markup('<p style="{}">{}</p>').format(_STYLES["muted"], _REST)
    room = MOST_BYTES - _bytes(_page(title, notices, [rest]))
    kept = []
    for block in shown:
        room -= _bytes(block) + 1
        if room < 0:
            break
        kept.append(block)
    return _page(title, notices, [*kept, rest])


def word_for(kind: str) -> str:
    """What stands before a notice, so that its colour is not needed."""
    return _NOTICES.get(kind, _OTHER_NOTICE)[0]


def _bytes(html: Markup) -> int:
    return len(html.encode("utf-8", "replace"))


def paragraph(html: Markup) -> Markup:
    """A paragraph of its own, such as the one about the full report."""
    return Markup('<p style="{}">{}</p>').format(_STYLES["p"], html)


def link(address: str, label: str) -> Markup:
    """A link that is seen to be one, light and dark."""
    return Markup('<a class="link" style="color:{}" href="{}">{}</a>').format(
        _LIGHT["accent"], address, label
    )


def _page(title: str, notices: Sequence[tuple[str, str]], blocks: Sequence[Markup]) -> Markup:
    return Markup(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<meta name="supported-color-schemes" content="light dark">'
        "<title>{title}</title><style>{sheet}</style></head>\n"
        '<body class="page" style="margin:0;padding:0;background:{paper};color:{ink}">'
        '<div class="page" style="max-width:{width}px;margin:0 auto;padding:16px {side}px 32px;'
        "background:{paper};color:{ink};font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,"
        'Arial,sans-serif;overflow-wrap:break-word">\n'
        '<h1 style="margin:0 0 12px;font-size:24px;line-height:1.25">{title}</h1>\n'
        "{notices}{top}\n{blocks}\n{bottom}\n"
        '<p class="muted" style="margin:24px 0 0;color:{muted};font-size:13px">Made with Sender '
        "Score Notebooks. Points, cut-offs and bands are the policy's that the full report names, "
        "not HubSpot's.</p></div></body></html>\n"
    ).format(
        title=title,
        sheet=Markup(_SHEET),  # noqa: S704
        paper=_LIGHT["paper"],
        ink=_LIGHT["ink"],
        muted=_LIGHT["muted"],
        width=WIDTH - 2 * _SIDE,
        side=_SIDE,
        notices=Markup("").join(_notice(kind, text) for kind, text in notices),
        top=TOP,
        blocks=Markup("\n").join(blocks),
        bottom=BOTTOM,
    )


def _notice(kind: str, text: str) -> Markup:
    word, paper, edge = _NOTICES.get(kind, _OTHER_NOTICE)
    return Markup(
        '<p class="notice {}" style="margin:0 0 12px;padding:10px 12px;background:{};'
        'border-left:4px solid {};color:{}"><strong>{}:</strong> {}</p>\n'
    ).format(kind, paper, edge, _LIGHT["ink"], word, text)


def _blocks(parts: Sequence[Part], most: int) -> list[Markup]:
    return [
        _line(part)
        if isinstance(part, Line)
        else _picture(part)
        if isinstance(part, Picture)
        else _grid(part, most)
        for part in parts
    ]


def _line(line: Line) -> Markup:
    tag = {"muted": "p", "li": "div"}.get(line.kind, line.kind)
    # A list item is a line with a bullet, so that one can be left out without its list.
    bullet = Markup('<span class="muted">•</span> ') if line.kind == "li" else ""
    kind = Markup(' class="muted"') if line.kind == "muted" else ""
    return Markup('<{0}{1} style="{2}">{3}{4}</{0}>').format(
        Markup(tag),  # noqa: S704
        kind,
        _STYLES[line.kind],
        bullet,
        line.run.html,
    )


def _picture(picture: Picture) -> Markup:
    return Markup(
        '<img src="cid:{}" width="{}" alt="{}" style="display:block;width:{}px;max-width:100%;'
        'height:auto;border:0;border-radius:4px;background:#ffffff;margin:8px 0">'
    ).format(picture.cid, picture.width, picture.alt, picture.width)


def _grid(grid: Grid, most: int) -> Markup:
    wide = len(grid.head) > _COLUMNS_ON_A_PHONE
    # What is wide may break between a value and its interval.
    side, fold = (5, ";white-space:normal") if wide else (8, ";white-space:nowrap")
    edge = f"padding:6px {side}px;border-bottom:1px solid {_LIGHT['line']};vertical-align:top"
    keys = grid.head if wide else ()
    head = Markup("").join(
        Markup(
            '<th class="line" scope="col" style="{};text-align:{};font-weight:600">{}</th>'
        ).format(edge, "right" if c.number else "left", c.run.html)
        for c in grid.head
    )
    rows = Markup("").join(
        Markup('<tr class="line">{}</tr>\n').format(
            Markup("").join(_cell(cell, i, keys, edge, fold) for i, cell in enumerate(row))
        )
        for row in grid.rows[:most]
    )
    caption = Markup("")
    if grid.caption.text:
        caption = Markup(
            '<caption class="muted" style="text-align:left;color:{};font-size:14px;'
            'padding:0 0 4px">{}</caption>'
        ).format(_LIGHT["muted"], grid.caption.html)
    left = rows_left(grid, most)
    more = Markup('<p class="muted" style="{}">{}</p>').format(_STYLES["muted"], left)
    return Markup(
        '<div style="overflow-x:auto;margin:0 0 14px"><table class="{}" cellpadding="0" '
        'cellspacing="0" style="border-collapse:collapse;font-size:{}px">{}{}<tbody>{}</tbody>'
        "</table></div>{}"
    ).format(
        "wide" if wide else "grid",
        13 if wide else 14,
        caption,
        Markup("<thead><tr>{}</tr></thead>").format(head) if head else "",
        rows,
        more if left else "",
    )


def _cell(cell: Cell, place: int, keys: Sequence[Cell], edge: str, fold: str) -> Markup:
    key = Markup("")
    if 0 < place < len(keys):
        cell_name = keys[place].run.text
        key = Markup('<span class="key muted" style="display:none">{} </span>')
        key = key.format(with_colon(cell_name))
    flush = f"right{fold}" if cell.number else "left"
    if max(map(len, cell.run.text.split()), default=0) > _LONGEST_WORD:
        flush += ";overflow-wrap:anywhere;word-break:break-word"
    value, _, interval = cell.run.text.partition(" (")
    shown = cell.run.html
    if cell.number and interval:
        whole = Markup('{} <span style="white-space:nowrap">({}</span>')
        shown = whole.format(value, interval)
    tag, more = ("td", "") if place else ("th", ' scope="row"')
    return Markup('<{0} class="line"{1} style="{2};text-align:{3}">{4}{5}</{0}>').format(
        Markup(tag),  # noqa: S704
        Markup(more),  # noqa: S704
        edge,
        flush,
        key,
        shown,
    )


def with_colon(name: str) -> str:
    """A column's name before its value."""
    return name if name.endswith("?") else f"{name}:"


def rows_left(grid: Grid, most: int) -> str:
    """How many rows are not shown, in words; empty for none."""
    left = len(grid.rows) - most
    return f"… and {left} more in the full report" if left > 0 else ""
