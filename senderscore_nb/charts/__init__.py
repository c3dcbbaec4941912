"""Scored frames as native Altair charts, in one look.

Each chart is a plain function from a frame to a chart, with a text description made from its data.
Nothing is registered or enabled on import; `enable` makes the look and the offline renderer
current.
"""

from senderscore_nb.charts.gauge import gauge, gauge_wall
from senderscore_nb.charts.layers import with_narrow
from senderscore_nb.charts.palette import band_colours, ink_on
from senderscore_nb.charts.theme import enable, register, theme

__all__ = [
    "band_colours",
    "enable",
    "gauge",
    "gauge_wall",
    "ink_on",
    "register",
    "theme",
    "with_narrow",
]
