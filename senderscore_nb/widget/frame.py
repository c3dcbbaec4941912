"""What is drawn: plain values, and arrays as bytes beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from senderscore_nb.errors import SenderScoreError


@dataclass
class Frame:
    """What a view shows.

    Attributes:
        values: Plain JSON values.
        buffers: Arrays as bytes, which `values` says the place and shape of.
    """

    values: dict[str, Any]
    buffers: list[bytes] = field(default_factory=list)

    def keep(self, array: Any) -> int:
        """Add an array; its place among the buffers."""
        self.buffers.append(np.ascontiguousarray(array).tobytes())
        return len(self.buffers) - 1


def words_of(error: Exception) -> str:
    """An error as it is shown beside a widget."""
    if isinstance(error, SenderScoreError):
        return str(error)
    kind = type(error).__name__
    return f"This could not be done ({kind}: {error}). The view is as it was before."
