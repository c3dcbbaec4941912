"""Scored frames as native Altair charts, in one look.

Each chart is a plain function from a frame to a chart, with a text description made from its data.
Nothing is registered or enabled on import; `enable` makes the look and the offline renderer
current.
"""

from senderscore_nb.charts.change import changes
from senderscore_nb.charts.control import control, so_far
from senderscore_nb.charts.funnel import funnel
from senderscore_nb.charts.gauge import gauge, gauge_wall
from senderscore_nb.charts.heatmap import heatmap_sequences, heatmap_weeks
from senderscore_nb.charts.layers import with_narrow
from senderscore_nb.charts.outlook import next_band, power
from senderscore_nb.charts.palette import band_colours, ink_on
from senderscore_nb.charts.ranking import ranking
from senderscore_nb.charts.rates import rates
from senderscore_nb.charts.shrunk import shrunk
from senderscore_nb.charts.theme import enable, register, theme
from senderscore_nb.charts.trend import trend

__all__ = [
    "band_colours",
    "changes",
    "control",
    "enable",
    "funnel",
    "gauge",
    "gauge_wall",
    "heatmap_sequences",
    "heatmap_weeks",
    "ink_on",
    "next_band",
    "power",
    "ranking",
    "rates",
    "register",
    "shrunk",
    "so_far",
    "theme",
    "trend",
    "with_narrow",
]
