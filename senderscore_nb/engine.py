"""papermill's way to the workers: `papermill IN OUT --engine senderscore`.

papermill loads every engine that is installed whenever it is imported, also while this package
imports it; so nothing is imported here before the engine is used.
"""

from __future__ import annotations

from typing import Any


class WorkerEngine:
    """`reports.engine.WorkerEngine`, which is imported when it is used."""

    @staticmethod
    def execute_notebook(*args: Any, **kwargs: Any) -> Any:
        """Run a notebook."""
        return _engine().execute_notebook(*args, **kwargs)

    @staticmethod
    def nb_kernel_name(*args: Any, **kwargs: Any) -> Any:
        """The kernel that a notebook names."""
        return _engine().nb_kernel_name(*args, **kwargs)

    @staticmethod
    def nb_language(*args: Any, **kwargs: Any) -> Any:
        """The language that a notebook names."""
        return _engine().nb_language(*args, **kwargs)


def _engine() -> Any:
    from senderscore_nb.reports.engine import WorkerEngine as Engine

    return Engine
