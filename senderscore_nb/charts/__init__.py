"""Scored frames as native Altair charts, in one look.

Each chart is a plain function from a frame to a chart, with a text description made from its data.
Nothing is registered or enabled on import; `enable` makes the look and the offline renderer
current.
"""

from senderscore_nb.charts.calibration import calibration_map
from senderscore_nb.charts.change import changes
from senderscore_nb.charts.control import control, so_far
from senderscore_nb.charts.envelopes import calibration_curves
from senderscore_nb.charts.forest import forest
from senderscore_nb.charts.funnel import funnel
from senderscore_nb.charts.gauge import gauge, gauge_wall
from senderscore_nb.charts.heatmap import heatmap_sequences, heatmap_weeks
from senderscore_nb.charts.layers import with_narrow
from senderscore_nb.charts.migration import band_fill, migration
from senderscore_nb.charts.outlook import next_band, power
from senderscore_nb.charts.palette import band_colours, ink_on
from senderscore_nb.charts.partial import heatmap_factors, partial_curve
from senderscore_nb.charts.ranking import ranking
from senderscore_nb.charts.rates import rates
from senderscore_nb.charts.sensitivity import sensitivity_heatmap, tornado
from senderscore_nb.charts.shrunk import shrunk
from senderscore_nb.charts.stability import stability
from senderscore_nb.charts.theme import enable, register, theme
from senderscore_nb.charts.trend import trend
from senderscore_nb.charts.waterfall import waterfall

__all__ = [
    "band_colours",
    "band_fill",
    "calibration_curves",
    "calibration_map",
    "changes",
    "control",
    "enable",
    "forest",
    "funnel",
    "gauge",
    "gauge_wall",
    "heatmap_factors",
    "heatmap_sequences",
    "heatmap_weeks",
    "ink_on",
    "migration",
    "next_band",
    "partial_curve",
    "power",
    "ranking",
    "rates",
    "register",
    "sensitivity_heatmap",
    "shrunk",
    "so_far",
    "stability",
    "theme",
    "tornado",
    "trend",
    "waterfall",
    "with_narrow",
]
