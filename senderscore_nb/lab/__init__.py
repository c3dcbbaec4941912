"""The threshold lab: other cut-offs by hand, and what they would do, in a notebook.

`Model` holds a trial and its history without a display, `ThresholdLab` shows it. Nothing heavy is
imported before it is used.
"""

from senderscore_nb.lab.model import Model
from senderscore_nb.lab.state import Draft, Trial
from senderscore_nb.lab.thresholds import ThresholdLab

__all__ = ["Draft", "Model", "ThresholdLab", "Trial"]
