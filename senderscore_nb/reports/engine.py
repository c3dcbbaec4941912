"""papermill's kernel engine, private and quiet: local sockets, and a callback for each cell."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from papermill.engines import NBClientEngine, papermill_engines
from traitlets import default
from traitlets.config import Config

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


class LocalKernelManager(AsyncKernelManager):
    """Speaks to the kernel through files of this user instead of TCP ports, where there are any."""

    @default("transport")
    def _transport(self) -> str:
        return "tcp" if os.name == "nt" else "ipc"


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
        # The sockets are files; in a private folder they meet neither other runs nor other users.
        with tempfile.TemporaryDirectory(prefix="ss-") as folder:
            sockets = {"ip": f"{folder}/k"} if os.name != "nt" else {}
            return super().execute_managed_notebook(
                nb_man,
                kernel_name,
                kernel_manager_class=f"{__name__}.{LocalKernelManager.__name__}",
                config=Config({LocalKernelManager.__name__: sockets}),
                extra_arguments=["--IPKernelApp.log_level=50"],
                **kwargs,
            )


def register() -> None:
    """Make the engine known to papermill; a second call changes nothing."""
    papermill_engines.register(NAME, KernelEngine)
