"""Runs in Airflow's own environment: reads the DAG, runs it twice, and prints what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def main(folder: str, name: str) -> None:
    """Print a JSON object: errors, settings, and the tasks' states of a run and of an idle one."""
    with contextlib.redirect_stdout(sys.stderr):
        result = ran(folder, name)
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


def ran(folder: str, name: str) -> dict[str, Any]:
    """Read the DAG and run it."""
    import airflow
    from airflow.utils.db import initdb

    initdb()
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models import DagBag
    bag = DagBag(folder)
    dag = bag.dags[name]
    first = dag.test()
    result = {
        "version": airflow.__version__,
        "import_errors": bag.import_errors,
        "settings": [dag.catchup, dag.max_active_runs, dag.schedule.total_seconds() / 60],
        "state": str(first.state).rpartition(".")[2].lower(),
        "tasks": states(first),
    }
    Path(os.environ["JOBS"]).write_text("[]")
    result["idle"] = states(dag.test())
    return result


def states(run: Any) -> dict[str, list[str]]:
    """The states of a run's tasks, by task."""
    found: dict[str, list[str]] = {}
    for task in run.get_task_instances():
        found.setdefault(task.task_id, []).append(str(task.state).rpartition(".")[2].lower())
    return {task: sorted(found[task]) for task in sorted(found)}


if __name__ == "__main__":
    main(*sys.argv[1:])
