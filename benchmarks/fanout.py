"""Many sender reports of the sample: `python -m benchmarks.fanout WAY PAGES`.

WAY is `ours` (a plan's run), `plain` (the same cells as plain Python, and the same page made of
them) or `commands` (papermill and nbconvert as commands). Two at a time; prints seconds a page.
"""

from __future__ import annotations

import ast
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

WORKERS = 2
ZONE = "Europe/Stockholm"
SAMPLE = Path(__file__).parents[1] / "data" / "sample"
USERS = [str(n) for n in (*range(1001, 1010), *range(1011, 1016))]
"""Senders of the sample with a score."""


def parameters(user: str) -> dict[str, Any]:
    return {"data": [str(SAMPLE)], "timezone": ZONE, "period": "2026-W46", "users": [user]}


def ours(folder: Path, pages: int) -> None:
    from senderscore_nb.schedule.project import Project
    from senderscore_nb.schedule.run import run_report_for

    rows = ", ".join(
        f'{{ name = "{i}", users = ["{USERS[i % len(USERS)]}"] }}' for i in range(pages)
    )
    (folder / "reports.toml").write_text(
        f'[data]\nsource = "{SAMPLE}"\ntimezone = "{ZONE}"\n[run]\nworkers = {WORKERS}\n'
        f'[[reports]]\nname = "senders"\nnotebook = "sender"\neach = "row"\nrows = [{rows}]\n'
    )
    outcome = run_report_for(Project.open(folder), "senders", "2026-W46")
    assert len(outcome.made) == pages, outcome.failed[:1]


def plain(folder: Path, pages: int) -> None:
    with ProcessPoolExecutor(WORKERS) as processes:
        shares = [range(i, pages, WORKERS) for i in range(WORKERS)]
        list(processes.map(plain_share, [str(folder)] * WORKERS, shares))


def plain_share(folder: str, numbers: range) -> None:
    """What one process does: read once, run the cells, show their results, make the pages."""
    import nbformat
    from IPython.core.formatters import DisplayFormatter

    from senderscore_nb import account, open_account
    from senderscore_nb.reports import frame
    from senderscore_nb.reports.notebooks import find_notebook, read_notebook
    from senderscore_nb.reports.page import render_page

    once = open_account([str(SAMPLE)], timezone=ZONE)
    frame.open_account = account.open_account = lambda *_, **__: once  # read once, as ours does
    formatter = DisplayFormatter()
    for number in numbers:
        notebook = read_notebook(find_notebook("sender"))
        names: dict[str, Any] = {}
        for cell in notebook.cells:
            if cell.cell_type == "code":
                tree = ast.parse(cell.source)
                last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
                exec(compile(tree, "cell", "exec"), names)  # noqa: S102
                if "parameters" in cell.metadata.get("tags", []):
                    names |= parameters(USERS[number % len(USERS)])
                if last is not None:
                    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307
                    data, metadata = formatter.format(value)
                    output = nbformat.v4.new_output("execute_result", data, metadata=metadata)
                    cell.outputs = [output]
        (Path(folder) / f"{number}.html").write_text(render_page(notebook), encoding="utf-8")


def commands(folder: Path, pages: int) -> None:
    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(lambda i: command_pair(folder, i), range(pages)))


def command_pair(folder: Path, number: int) -> None:
    beside = Path(sys.executable).parent
    from senderscore_nb.reports.notebooks import find_notebook

    executed = folder / f"{number}.ipynb"
    values = parameters(USERS[number % len(USERS)])
    subprocess.run(
        [
            *(beside / "papermill", find_notebook("sender"), executed, "-k", "python3"),
            *("-y", json.dumps(values), "--no-progress-bar"),
        ],
        check=True,
        capture_output=True,
    )
    convert = [beside / "jupyter", "nbconvert", "--to", "html", executed]
    subprocess.run(convert, check=True, capture_output=True)


def main(way: str, count: str) -> None:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as scratch:
        folder, pages = Path(scratch), int(count)
        started = time.perf_counter()
        {"ours": ours, "plain": plain, "commands": commands}[way](folder, pages)
        seconds = time.perf_counter() - started
        made = sum(p.name != "index.html" for p in folder.rglob("*.html"))
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    busy = children.ru_utime + children.ru_stime + own.ru_utime + own.ru_stime
    said = {"seconds": seconds / pages, "cpu_seconds": busy / pages, "peak": children.ru_maxrss}
    print(json.dumps({**said, "facts": {"all pages were made": made == pages}}))


if __name__ == "__main__":
    main(*sys.argv[1:])
