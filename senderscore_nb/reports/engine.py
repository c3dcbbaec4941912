"""papermill's engines: an ordinary kernel, private and quiet, and warm workers.

`papermill IN OUT --engine senderscore` runs a notebook in a worker.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import traitlets
from jupyter_client.manager import AsyncKernelManager
from papermill.engines import Engine, NBClientEngine, papermill_engines
from traitlets import default
from traitlets.config import Config

from senderscore_nb.errors import ReportError
from senderscore_nb.reports.pool import WorkerPool
from senderscore_nb.reports.process import Limits, Worker

KERNEL = "senderscore-kernel"
WORKERS = "senderscore"


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

    environment = traitlets.Dict(allow_none=True, default_value=None).tag(config=True)

    @default("transport")
    def _transport(self) -> str:
        return "tcp" if os.name == "nt" else "ipc"

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
        """Start the kernel, in an environment of its own where one is given."""
        if self.environment is not None:
            options["env"] = dict(self.environment)
        await super().start_kernel(**options)


class KernelEngine(NBClientEngine):  # type: ignore[misc]
    """Runs the cells in an ordinary kernel and reports each one that is done."""

    @classmethod
    def execute_managed_notebook(  # noqa: D102
        cls,
        nb_man: Any,
        kernel_name: str,
        on_cell: Callable[[int, int], None] | None = None,
        environment: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> Any:
        if on_cell is not None:
            nb_man.pbar = _Bar(len(nb_man.nb.cells), on_cell)
        # The sockets are files; in a private folder they meet neither other runs nor other users.
        with tempfile.TemporaryDirectory(prefix="ss-") as folder:
            own: dict[str, Any] = {"ip": f"{folder}/k"} if os.name != "nt" else {}
            if environment is not None:
                own["environment"] = dict(environment)
            return super().execute_managed_notebook(
                nb_man,
                kernel_name,
                kernel_manager_class=f"{__name__}.{LocalKernelManager.__name__}",
                config=Config({LocalKernelManager.__name__: own}),
                extra_arguments=["--IPKernelApp.log_level=50"],
                **kwargs,
            )


class WorkerEngine(Engine):  # type: ignore[misc]
    """Runs the cells in a warm worker: no kernel is started, and nothing imported again."""

    @classmethod
    def execute_managed_notebook(  # noqa: D102
        cls,
        nb_man: Any,
        kernel_name: str,  # noqa: ARG003
        worker: Worker | None = None,
        folder: str | None = None,
        on_cell: Callable[[int, int], None] | None = None,
        execution_timeout: float | None = None,
        **_: Any,
    ) -> None:
        if nb_man.nb.metadata.get("kernelspec", {}).get("language", "python") != "python":
            raise ReportError("Workers run Python notebooks only.", hint="Take the kernel engine.")
        if on_cell is not None:
            nb_man.pbar = _Bar(len(nb_man.nb.cells), on_cell)
        if worker is not None:
            _run(nb_man, worker, folder or str(Path.cwd()))
            return
        limits = Limits(seconds=execution_timeout) if execution_timeout else Limits()
        with WorkerPool(1, limits) as pool, pool.worker("") as own:
            _run(nb_man, own, folder or str(Path.cwd()))
            own.finish()


def _run(nb_man: Any, worker: Worker, folder: str) -> None:
    worker.begin(folder)
    for index, cell in enumerate(nb_man.nb.cells):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type != "code" or not cell.source.strip() or "skip-execution" in tags:
            nb_man.cell_complete(cell, cell_index=index)
            continue
        nb_man.cell_start(cell, cell_index=index)
        answer = worker.ask({"do": "cell", "source": cell.source})
        cell.outputs = [_node(output) for output in answer["outputs"]]
        cell.execution_count = answer["execution_count"]
        failed = any(output["output_type"] == "error" for output in answer["outputs"])
        if failed and "raises-exception" not in tags:
            nb_man.cell_exception(cell, cell_index=index)
            nb_man.cell_complete(cell, cell_index=index)
            return
        nb_man.cell_complete(cell, cell_index=index)


def _node(output: dict[str, Any]) -> Any:
    import nbformat

    return nbformat.from_dict(output)  # type: ignore[no-untyped-call]


def register() -> None:
    """Make the engines known to papermill; a second call changes nothing."""
    papermill_engines.register(KERNEL, KernelEngine)
    papermill_engines.register(WORKERS, WorkerEngine)
