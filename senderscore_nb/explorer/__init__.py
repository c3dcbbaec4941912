"""The explorer: an account by hand, in a notebook or as an app.

`Model` holds a view and its history without a display, `Explorer` shows it. Nothing heavy is
imported before it is used.
"""

from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.explore import Explorer
from senderscore_nb.explorer.model import Model
from senderscore_nb.explorer.state import Side, View

__all__ = ["Data", "Explorer", "Model", "Side", "View"]
