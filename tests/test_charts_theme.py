"""The look: colours that every reader can tell apart, text that can be read, and the renderer."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import altair as alt
import numpy as np
import pytest
import vl_convert as vlc
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.charts import band_colours, enable, ink_on, register, theme
from senderscore_nb.charts.palette import contrast
from senderscore_nb.charts.theme import COLOURS
from senderscore_nb.policy import ScoringPolicy, load_policy

MODES = ("light", "dark")

# Machado, Oliveira & Fernandes 2009, "A physiologically-based model for simulation of color vision
# deficiency", severity 1.0; applied to linear RGB.
SIGHTS = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# Ottosson 2020, "A perceptual color space for image processing".
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def seen(colour: str, sight: str) -> np.ndarray:
    """The OKLab coordinates of a colour as a reader with that sight sees it."""
    srgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return TO_LAB @ np.cbrt(TO_CONES @ np.clip(SIGHTS[sight] @ linear, 0, 1))


def apart(one: str, other: str, sight: str) -> float:
    return float(np.linalg.norm(seen(one, sight) - seen(other, sight)))


def policy_of(count: int) -> ScoringPolicy:
    data = load_policy().model_dump()
    data["bands"] = [{"name": f"Band {i}", "lower": i * 100 / count} for i in range(count)]
    return ScoringPolicy.model_validate(data)


@pytest.mark.parametrize(
    ("sight", "one", "other"),
    [
        ("protanopia", "#258ad1", "#ea65cd"),
        ("deuteranopia", "#ed3d63", "#7b9a59"),
        ("tritanopia", "#38f721", "#42e3f7"),
    ],
)
def test_the_simulation_confuses_what_it_should(sight: str, one: str, other: str) -> None:
    assert apart(one, other, "usual") > 0.15
    assert apart(one, other, sight) < apart(one, other, "usual") / 5


@pytest.mark.parametrize("sight", SIGHTS)
def test_the_default_bands_are_told_apart(sight: str) -> None:
    colours = band_colours(load_policy())
    assert len(colours) == 4
    # 0.02 is about the smallest difference that is seen side by side.
    assert min(apart(a, b, sight) for a, b in itertools.combinations(colours, 2)) > 0.12


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("count", range(2, 13))
def test_neighbouring_bands_are_told_apart(count: int, sight: str) -> None:
    colours = band_colours(policy_of(count))
    assert min(apart(a, b, sight) for a, b in itertools.pairwise(colours)) > 0.02


@pytest.mark.parametrize("count", range(1, 13))
def test_bands_stand_out_from_both_pages_and_carry_readable_text(count: int) -> None:
    colours = band_colours(policy_of(count))
    assert len(set(colours)) == count
    for colour in colours:
        assert contrast(ink_on(colour), colour) >= 4.5
        for mode in MODES:
            assert contrast(colour, COLOURS[mode]["paper"]) >= 3


@given(st.integers(0, 0xFFFFFF))
def test_ink_is_readable_on_any_colour(value: int) -> None:
    colour = f"#{value:06x}"
    assert contrast(ink_on(colour), colour) >= 4.5


@pytest.mark.parametrize("mode", MODES)
def test_text_and_marks_of_the_theme_stand_out(mode: str) -> None:
    colours = COLOURS[mode]
    config = theme(mode)
    for name in ("ink", "muted", "accent", "alert"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
    assert contrast(colours["edge"], colours["paper"]) >= 3
    for place, names in (
        ("axis", ("labelColor", "titleColor")),
        ("legend", ("labelColor", "titleColor")),
        ("header", ("labelColor", "titleColor")),
        ("title", ("color", "subtitleColor")),
    ):
        for name in names:
            assert contrast(config[place][name], colours["paper"]) >= 4.5


def drawn(style: str, mode: str) -> str:
    """The picture of a text, a line and an arc in a style."""
    row = alt.Chart(alt.InlineData(values=[{"x": 1, "y": 1}, {"x": 2, "y": 2}]))
    marks = (
        row.mark_text(style=style, text="W").encode(x="x:Q"),
        row.mark_line(style=style).encode(x="x:Q", y="y:Q"),
        row.mark_arc(style=style, theta=0, theta2=1),
    )
    chart = alt.layer(*marks).to_dict() | {"config": theme(mode)}
    return vlc.vegalite_to_svg(json.dumps(chart), vl_version="6.4").casefold()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("style", "colour"),
    [("ink", "ink"), ("muted", "muted"), ("progress", "edge"), ("needle", "ink")],
)
def test_styles_reach_every_kind_of_mark(style: str, colour: str, mode: str) -> None:
    picture = drawn(style, mode)
    value = COLOURS[mode][colour]
    assert picture.count(f'fill="{value}"') >= 2  # text and arc
    assert f'stroke="{value}"' in picture  # line
    assert 'fill="black"' not in picture


def test_the_modes_differ_only_in_colours() -> None:
    def shape(value: object) -> object:
        if isinstance(value, dict):
            return {k: shape(v) for k, v in value.items()}
        return "colour" if isinstance(value, str) and value.startswith("#") else value

    assert shape(theme("light")) == shape(theme("dark"))
    assert theme("light") != theme("dark")
    assert theme("light")["background"] == theme("dark")["background"] == "transparent"
    assert "http" not in json.dumps(theme())


def test_importing_registers_nothing() -> None:
    code = (
        "import altair as alt, senderscore_nb.charts\n"
        "names = [*alt.theme.names(), *alt.renderers.names()]\n"
        "assert not [n for n in names if n.startswith('senderscore')], names\n"
        "assert alt.theme.active == 'default' and alt.renderers.active == 'default'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def altair_as_it_was():
    theme_before, renderer_before = alt.theme.active, alt.renderers.active
    yield
    alt.theme.enable(theme_before)
    alt.renderers.enable(renderer_before)


def test_register_switches_nothing_on(altair_as_it_was: None) -> None:
    before = alt.theme.active, alt.renderers.active
    register()
    assert {"senderscore-light", "senderscore-dark"} <= set(alt.theme.names())
    assert "senderscore" in alt.renderers.names()
    assert (alt.theme.active, alt.renderers.active) == before


@pytest.mark.parametrize("mode", MODES)
def test_enabled_charts_carry_the_theme_and_show_offline(mode: str, altair_as_it_was: None) -> None:
    enable(mode)
    chart = alt.Chart(alt.InlineData(values=[{"x": 1}]), description="One point.").mark_point()
    bundle = chart.encode(x="x:Q")._repr_mimebundle_()
    newer = bundle["application/vnd.vegalite.v6+json"]
    older = bundle["application/vnd.vegalite.v5+json"]
    assert newer["config"]["style"] == theme(mode)["style"]
    assert "/v6" in newer["$schema"]
    assert older["$schema"].endswith("/vega-lite/v5.json")
    assert {**older, "$schema": 0} == {**newer, "$schema": 0}
    assert bundle["text/plain"] == "One point."
    assert set(bundle) == {
        "application/vnd.vegalite.v6+json",
        "application/vnd.vegalite.v5+json",
        "text/plain",
    }
