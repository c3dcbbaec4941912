"""papermill's kernel engine with a callback for each finished cell instead of its own bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from papermill.engines import NBClientEngine, papermill_engines

NAME = "senderscore-kernel"


class _Bar:
    """What papermill takes for a progress bar."""

    def __init__(self, total: int, report: Callable[[int, int], None]) -> None:
        self.total, self.n, self._report = total, 0, report

    def update(self, n: int = 1) -> None:
        self.n += n
        self._report(self.n, self.total)

    def refresh(self) -> None: ...

    def close(self) -> None: ...

    def set_description(self, *_: object, **__: object) -> None: ...


class KernelEngine(NBClientEngine):  # type: ignore[misc]
    """Runs the cells in an ordinary kernel and reports each one that is done."""

    @classmethod
    def execute_managed_notebook(  # noqa: D102
        cls,
        nb_man: Any,
        kernel_name: str,
        on_cell: Callable[[int, int], None] | None = None,
        **kwargs: Any,
    ) -> Any:
        if on_cell is not None:
            nb_man.pbar = _Bar(len(nb_man.nb.cells), on_cell)
        return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)


def register() -> None:
    """Make the engine known to papermill; a second call changes nothing."""
    papermill_engines.register(NAME, KernelEngine)
