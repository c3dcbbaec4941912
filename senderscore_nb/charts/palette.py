"""Colours of bands: ordered, safe for colour-blind readers, and visible on light and dark pages.

The four anchors run from rust over amber and teal to indigo, so they differ along the blue–yellow
axis that red–green colour blindness keeps, and in lightness where tritanopia weakens that axis.
Every colour has a relative luminance between 0.125 and 0.3, which is a contrast of at least 3:1 on
white and on the dark page alike, so one palette serves both.
"""

from __future__ import annotations

from senderscore_nb.policy import ScoringPolicy

Triple = tuple[float, float, float]

ANCHORS: tuple[str, ...] = ("#ad4533", "#bf8a14", "#2a9db0", "#6057c4")
"""The colours of four bands, from the lowest to the highest."""

_FEW = {1: (2,), 2: (0, 2), 3: (0, 1, 2)}


def band_colours(policy: ScoringPolicy) -> list[str]:
    """A colour for each band of a policy, from the lowest to the highest, as `#rrggbb`.

    Up to four bands take anchors; more are spaced evenly along them in OKLab (Ottosson 2020).

    >>> from senderscore_nb.policy import load_policy
    >>> band_colours(load_policy())[0]
    '#ad4533'
    """
    return colours(len(policy.bands))


def colours(count: int) -> list[str]:
    """That many colours in order, as `#rrggbb`."""
    if count in _FEW:
        return [ANCHORS[i] for i in _FEW[count]]
    labs = [_to_oklab(_to_linear(anchor)) for anchor in ANCHORS]
    made = []
    for step in range(count):
        place = step * (len(labs) - 1) / max(count - 1, 1)
        left = min(int(place), len(labs) - 2)
        share = place - left
        mixed = [
            a * (1 - share) + b * share for a, b in zip(labs[left], labs[left + 1], strict=True)
        ]
        made.append(_to_hex(_from_oklab((mixed[0], mixed[1], mixed[2]))))
    return made


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, 0 to 1 (WCAG 2.2)."""
    red, green, blue = _to_linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2).

    >>> contrast("#ffffff", "#000000")
    21.0
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour; the contrast is 4.5:1 or more.

    >>> ink_on("#bf8a14")
    '#000000'
    """
    return max(("#ffffff", "#000000"), key=lambda ink: contrast(ink, colour))


def _to_linear(colour: str) -> Triple:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else float(((c + 0.055) / 1.055) ** 2.4) for c in channels
    )
    return red, green, blue


def _to_hex(linear: Triple) -> str:
    channels = (
        12.92 * c if c <= 0.0031308 else 1.055 * float(c ** (1 / 2.4)) - 0.055
        for c in (min(max(c, 0.0), 1.0) for c in linear)
    )
    return "#" + "".join(f"{round(255 * c):02x}" for c in channels)


def _to_oklab(linear: Triple) -> Triple:
    r, g, b = linear
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _from_oklab(lab: Triple) -> Triple:
    light, a, b = lab
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
