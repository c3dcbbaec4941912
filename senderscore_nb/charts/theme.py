"""One look for every chart, light and dark, and the renderer that shows charts without a network.

Charts hold no colour of text, rules or outlines: they name styles (`ink`, `muted`, `interval`, …)
that the configuration made here defines. A page can therefore swap the configuration when the
reader changes to dark mode, and the charts stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import altair as alt

Mode = Literal["light", "dark"]

FONT = "system-ui, sans-serif"

_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"

COLOURS: dict[str, dict[str, str]] = {
    "light": {
        "paper": "#ffffff",
        "ink": "#1b2330",
        "muted": "#566072",
        "line": "#d9dee6",
        "track": "#e4e8ee",
        "edge": "#7b8798",
        "accent": "#1f5fa8",
        "alert": "#a23b12",
    },
    "dark": {
        "paper": "#14181f",
        "ink": "#e8ecf3",
        "muted": "#a4afc0",
        "line": "#343d4b",
        "track": "#2c3441",
        "edge": "#7a879b",
        "accent": "#8ab8f2",
        "alert": "#ffb48a",
    },
}
"""Colours by mode. Text (`ink`, `muted`, `accent`, `alert`) has 4.5:1 or more on `paper`; marks
that carry meaning (`edge` and the text colours) have 3:1 or more; `line`, `track` only decorate."""


def theme(mode: Mode = "light") -> dict[str, Any]:
    """The Vega-Lite configuration of a mode.

    Args:
        mode: `light` or `dark`. The background is transparent in both.

    Returns:
        A `config` object: fonts, axes, legends, and the styles that the charts name.

    >>> theme("dark")["background"]
    'transparent'
    """
    c = COLOURS[mode]
    text = {"labelColor": c["muted"], "titleColor": c["muted"], "labelFontSize": 11}
    return {
        "background": "transparent",
        "font": FONT,
        "text": {"font": FONT},
        "padding": 6,
        "view": {"stroke": None, "continuousWidth": 480, "continuousHeight": 260},
        "mark": {"color": c["accent"]},
        "title": {
            "color": c["ink"],
            "subtitleColor": c["muted"],
            "fontSize": 14,
            "anchor": "start",
        },
        "axis": {
            **text,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "labelPadding": 6,
            "domainColor": c["line"],
            "gridColor": c["line"],
            "tickColor": c["line"],
            "domain": False,
            "ticks": False,
        },
        "legend": {
            **text,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "symbolType": "square",
            "symbolSize": 110,
            "symbolStrokeWidth": 0,
        },
        "header": {**text, "labelColor": c["ink"], "labelFontSize": 12, "labelFontWeight": 600},
        "style": _styles(c),
    }


def register() -> None:
    """Make `senderscore-light`, `senderscore-dark` and the renderer `senderscore` known to Altair.

    Nothing is enabled; see `enable`.
    """
    light: Callable[[], Any] = lambda: {"config": theme("light")}  # noqa: E731
    dark: Callable[[], Any] = lambda: {"config": theme("dark")}  # noqa: E731
    alt.theme.register("senderscore-light", enable=False)(light)
    alt.theme.register("senderscore-dark", enable=False)(dark)
    alt.renderers.register("senderscore", bundle)


def enable(mode: Mode = "light") -> None:
    """Use this look and the offline renderer for the charts of this session.

    Args:
        mode: `light` or `dark`.
    """
    register()
    if mode == "dark":
        alt.theme.enable("senderscore-dark")
    else:
        alt.theme.enable("senderscore-light")
    alt.renderers.enable("senderscore")


def bundle(spec: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What a notebook stores of a chart: the specification and its description, no script.

    JupyterLab draws version 5 by itself, without a network; the same specification says so there.

    >>> sorted(bundle({"description": "Nothing"}))[-1]
    'text/plain'
    """
    return {
        "application/vnd.vegalite.v6+json": spec,
        "application/vnd.vegalite.v5+json": {**spec, "$schema": _SCHEMA},
        "text/plain": str(spec.get("description", "Chart")),
    }


def _styles(c: dict[str, str]) -> dict[str, dict[str, Any]]:
    # Vega-Lite compiles a style's `color` into the fill of what is filled and the stroke of what
    # is not, and overrides its `fill`; an outline's `stroke` reaches Vega as it is.
    outlined = {"stroke": c["edge"], "filled": True}
    return {
        "ink": {"color": c["ink"]},
        "muted": {"color": c["muted"]},
        "strong": {"color": c["ink"], "fontWeight": 600},
        "number": {"color": c["ink"], "fontWeight": 700},
        "footnote": {"color": c["muted"], "fill": c["muted"]},
        "needle": {"color": c["ink"]},
        "track": {"color": c["track"]},
        "progress": {"color": c["edge"]},
        "arc": {"color": c["edge"]},
        "interval": {"color": c["ink"], "strokeOpacity": 0.75, "strokeWidth": 1.5},
        "ribbon": {"color": c["ink"], "fillOpacity": 0.13},
        "funnel": {"color": c["edge"], "fillOpacity": 0.14},
        "line": {"color": c["ink"], "strokeWidth": 2},
        "limit": {"color": c["edge"], "strokeWidth": 1},
        "centre": {"color": c["muted"], "strokeWidth": 1.25},
        "outline": {"color": "transparent", **outlined},
        "hollow": {"color": c["paper"], **outlined},
        "point": {"color": c["ink"], "stroke": c["paper"], "filled": True},
        "outside": {"color": c["alert"], "stroke": c["paper"], "filled": True},
        "ringed": {"stroke": c["paper"]},
        "steady": {"color": c["edge"], "strokeWidth": 1.5},
        "moved": {"color": c["ink"], "strokeWidth": 2.5},
        "gain": {"color": c["accent"], "fillOpacity": 0.5, "stroke": c["accent"], "filled": True},
        "loss": {"color": c["alert"], "fillOpacity": 0.5, "stroke": c["alert"], "filled": True},
    }
