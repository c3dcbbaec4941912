"""Why a score moved, and what would move it.

The verbs are imported when they are first used: they need SciPy, which takes its time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from senderscore_nb.drivers.explain import Explanation, explain_change, explain_difference
    from senderscore_nb.drivers.explain_rates import das_gupta, kitagawa
    from senderscore_nb.drivers.explain_steps import steps
    from senderscore_nb.drivers.explain_words import story

_HOMES = {
    "Explanation": "explain",
    "das_gupta": "explain_rates",
    "explain_change": "explain",
    "explain_difference": "explain",
    "kitagawa": "explain_rates",
    "steps": "explain_steps",
    "story": "explain_words",
}

__all__ = [
    "Explanation",
    "das_gupta",
    "explain_change",
    "explain_difference",
    "kitagawa",
    "steps",
    "story",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
