"""Warm workers: a fresh namespace each, limits that hold, and the same page as a kernel's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import nbformat
import psutil
import pytest

from senderscore_nb.errors import ReportError
from senderscore_nb.reports import process, worker
from senderscore_nb.reports.blocks import Notice
from senderscore_nb.reports.notebooks import find_notebook
from senderscore_nb.reports.pool import WorkerPool
from senderscore_nb.reports.process import CancelledError, Limits
from senderscore_nb.reports.runners import Job, KernelRunner, PoolRunner
from tests.notebooks import write_notebook

pytestmark = pytest.mark.xdist_group("pool")


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(1, Limits(seconds=60, memory_mb=1500, output_mb=1)) as made:
        yield made


def html(pool: WorkerPool, notebook: Path, **parameters: object) -> str:
    return PoolRunner(pool).make(Job(notebook, parameters)).html


def texts(page: str) -> list[str]:
    return re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)


def pid_of(pool: WorkerPool) -> int:
    return pool._all[0]._process.pid


EVERYTHING = (
    "# A title\n\nSome *prose*.",
    "print('a'); print('b', end=''); print('c')",
    "import sys; print('unseen', file=sys.stderr); x",
    "from IPython.display import display, HTML, clear_output\n"
    "display(HTML('<b>bold</b><script>no</script>')); display({'a': 1}); 'last'",
    "handle = display('first', display_id=True); handle.update('second')",
    "print('gone'); clear_output(wait=True); print('kept')",
    "await __import__('asyncio').sleep(0); 'awaited'",
    "%time 1; get_ipython().user_ns['x']",
    "!echo from a shell",
    "%%capture held\nprint('captured')",
    "held.stdout",
    "import os; os.path.basename(os.getcwd()), __name__, _, Out[4]",
    "class Both:\n    def _repr_mimebundle_(self, **k):\n"
    "        return {'text/html': '<i>both</i>', 'text/plain': 'both'}\nBoth()",
    "import altair as alt, polars as pl\n"
    "alt.Chart(pl.DataFrame({'a': [1, 2]})).mark_bar().encode(x='a:Q')",
    "## A section",
    "raise_later = 1; 1 if False else None",
)


def without_times(page: str) -> str:
    page = re.sub(r"CPU times.*?Wall time: [^\n<]*", "T", page, flags=re.DOTALL)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.+]+", "T", page)


def test_a_kernel_and_a_worker_give_the_same_page(pool, tmp_path):
    notebook = write_notebook(tmp_path / "everything.ipynb", *EVERYTHING)
    job = Job(notebook, {"x": 7}, (Notice("alert", "Look <here>", {"n": 1}),), mailed=True)
    ours, theirs = PoolRunner(pool).make(job), KernelRunner().make(job)
    assert without_times(ours.html) == without_times(theirs.html)
    assert ours.title == theirs.title == "A title"
    assert ours.twin == theirs.twin == {"alerts": [{"n": 1}]}
    assert without_times(ours.mail.html) == without_times(theirs.mail.html)
    assert ours.mail.pictures == theirs.mail.pictures
    page = ours.html
    assert "Look &lt;here&gt;" in page
    assert "unseen" not in page
    for shown in ("a\nbc", "&#39;second&#39;", "kept", "awaited", "from a shell", "<i>both</i>"):
        assert shown in page, shown
    for hidden in ("gone", "&#39;first&#39;"):
        assert hidden not in page
    assert f"(&#39;{tmp_path.name}&#39;, &#39;__main__&#39;, &#39;captured\\n&#39;, 7)" in page


def test_our_reports_are_the_same_either_way(pool):
    job = Job(find_notebook("sender"), {"users": ["1004"]}, mailed=True)
    ours, theirs = PoolRunner(pool).make(job), KernelRunner().make(job)
    assert without_times(ours.html) == without_times(theirs.html)
    assert ours.mail == theirs.mail
    assert ours.twin.keys() == theirs.twin.keys()


def test_each_notebook_has_a_namespace_of_its_own(pool, tmp_path):
    (tmp_path / "beside.py").write_text("value = 'first'")
    notebook = write_notebook(
        tmp_path / "n.ipynb",
        "print('leak' in globals(), __import__('os').environ.get('LEAK'), len(In))",
        "import sys, os, warnings, beside, polars as pl\n"
        "leak = 1; os.environ['LEAK'] = 'yes'; os.chdir('/'); sys.path.insert(0, '/nowhere')\n"
        "warnings.simplefilter('error'); pl.Config.set_tbl_rows(1)\n"
        "print(beside.value)",
        "print(sys.path.count('/nowhere'), os.environ.get('POLARS_FMT_MAX_ROWS'))",
    )
    seen = texts(html(pool, notebook))
    pid = pid_of(pool)
    (tmp_path / "beside.py").write_text("value = 'second, and not the cached one'")
    again = texts(html(pool, notebook))
    assert pid_of(pool) == pid  # it was the same process
    assert [t.split() for t in seen] == [["False", "None", "3"], ["first"], ["1", "1"]]
    assert again[0] == seen[0]
    assert again[1] == "second, and not the cached one\n"
    assert again[2] == seen[2]


def test_another_notebook_gets_another_process(pool, tmp_path):
    spoiling = write_notebook(tmp_path / "a.ipynb", "import json; json.spoiled = 1")
    other = write_notebook(tmp_path / "b.ipynb", "import json; print(hasattr(json, 'spoiled'))")
    html(pool, spoiling)
    assert texts(html(pool, other)) == ["False\n"]


def test_a_notebook_that_raises_leaves_its_worker_alive(pool, tmp_path):
    good = write_notebook(tmp_path / "good.ipynb", "1 / x")
    html(pool, good, x=1)
    pid = pid_of(pool)
    with pytest.raises(
        ReportError, match=r"A cell raised ZeroDivisionError: division by zero.*'1 / x'"
    ):
        html(pool, good, x=0)
    html(pool, good, x=1)
    assert pid_of(pool) == pid


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("1 +", "SyntaxError"),
        ("raise KeyboardInterrupt('by a cell')", "KeyboardInterrupt"),
        ("raise SystemExit(3)", "SystemExit"),
        ("import sys; sys.exit('enough')", "SystemExit"),
        ("input('name?')", "Error"),
        ("from senderscore_nb.errors import ReadError; raise ReadError('In words.')", "In words."),
    ],
)
def test_whatever_a_cell_raises_is_said(pool, tmp_path, source, says):
    with pytest.raises(ReportError, match=says):
        html(pool, write_notebook(tmp_path / "n.ipynb", source))


def test_cells_may_be_allowed_to_raise_or_skipped(pool, tmp_path):
    path = write_notebook(tmp_path / "n.ipynb", "print('never')", "print('after')")
    notebook = nbformat.read(path, 4)
    notebook.cells[1].metadata["tags"] = ["skip-execution"]
    nbformat.write(notebook, path)
    assert texts(html(pool, path)) == ["after\n"]


def test_too_long_too_much_memory_too_much_output(tmp_path):
    limits = Limits(seconds=4, memory_mb=900, output_mb=0.2)
    cases = {
        "while True: pass": "more than 4 seconds",
        "import time; time.sleep(1000)": "more than 4 seconds",
        "held = []\nwhile True: held.append(bytearray(20_000_000))": "more than 900 MB",
        "while True: print('x' * 1000)": "more than 0.2 MB of output",
        "while True:\n    try: print('x' * 1000)\n    except Exception: pass": "of output",
        "'x' * 300_000": "more than 0.2 MB of output",
        "import os; os._exit(7)": "ended with exit code 7",
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": "ended by signal 11",
        "import subprocess\nsubprocess.run(['sleep', '1000'])": "more than 4 seconds",
    }
    with WorkerPool(2, limits) as pool:
        for i, (source, says) in enumerate(cases.items()):
            with pytest.raises(ReportError, match=says) as error:
                html(pool, write_notebook(tmp_path / f"{i}.ipynb", source))
            assert f"{i}.ipynb" in str(error.value)
        pids = [worker._process.pid for worker in pool._all]
        assert texts(html(pool, write_notebook(tmp_path / "good.ipynb", "print(x)"))) == ["1\n"]
    time.sleep(0.2)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    left = [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "1000"]]
    assert left == []  # what a notebook had started ended with it


def test_a_run_is_called_off(tmp_path):
    with WorkerPool(1) as pool:
        slow = write_notebook(tmp_path / "slow.ipynb", "import time; time.sleep(1000)")
        threading.Timer(3, pool.cancel).start()
        started = time.monotonic()
        with pytest.raises(CancelledError):
            html(pool, slow)
        with pytest.raises(CancelledError):
            html(pool, slow)
        assert time.monotonic() - started < 60


def test_more_reports_than_workers_at_once(tmp_path):
    notebook = write_notebook(tmp_path / "n.ipynb", "import os; print(x, os.getpid())")
    seen: dict[int, str] = {}
    with WorkerPool(2) as pool:
        threads = [
            threading.Thread(
                target=lambda i=i: seen.update({i: texts(html(pool, notebook, x=i))[0]})
            )
            for i in range(10)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [int(seen[i].split()[0]) for i in range(10)] == list(range(10))
    assert len({text.split()[1] for text in seen.values()}) <= 2


def test_a_worker_ends_with_the_run_that_started_it(tmp_path):
    """Also when the run is killed and a cell is under way."""
    notebook = write_notebook(
        tmp_path / "n.ipynb",
        "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\n"
        "while True: time.sleep(0.01)",
    )
    code = (
        "import sys; from pathlib import Path;"
        "from senderscore_nb.reports.runners import *; from senderscore_nb.reports.pool import *\n"
        "with WorkerPool(1) as pool: PoolRunner(pool).make(Job(Path(sys.argv[1])))"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(notebook)])
    mark = tmp_path / "pid"
    until = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    pid = int(mark.read_text())
    assert psutil.pid_exists(pid)
    run.kill()
    run.wait()
    until = time.monotonic() + 20
    while psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)


def test_what_a_notebook_made_is_let_go(pool, tmp_path):
    notebook = write_notebook(
        tmp_path / "n.ipynb",
        "import gc\nclass Held: pass\nheld, big = Held(), bytearray(50_000_000)\n"
        "print(sum(type(o).__name__ == 'Held' for o in gc.get_objects()))",
    )
    for _ in range(5):
        assert texts(html(pool, notebook)) == ["1\n"]
    assert pool._all[0].memory_mb < 700


def test_a_thread_that_is_left_behind_writes_into_no_other_page(pool, tmp_path):
    notebook = write_notebook(
        tmp_path / "n.ipynb",
        "import threading, time\n"
        "def talk(x=x):\n    while True: print('said by', x); time.sleep(0.01)\n"
        "threading.Thread(target=talk, daemon=True).start()",
    )
    html(pool, notebook, x=1)
    assert "said by 1" not in html(pool, notebook, x=2)


def test_what_cannot_be_shown_is_said(pool, tmp_path):
    odd = write_notebook(
        tmp_path / "odd.ipynb",
        "from IPython.display import display\nimport numpy as np\n"
        "display({'text/plain': 'fine'}, raw=True, metadata={'a': np.int64(1)}); exit(); 'after'",
    )
    assert "fine" in html(pool, odd)
    bad = write_notebook(
        tmp_path / "bad.ipynb",
        "from IPython.display import display\n"
        "display({'application/vnd.vegalite.v6+json': {'mark': 'nonsense'}}, raw=True)",
    )
    for runner in (PoolRunner(pool), KernelRunner()):
        with pytest.raises(ReportError, match="It cannot be shown"):
            runner.make(Job(bad))


def test_a_twin_has_no_number_that_json_has_not(pool, tmp_path):
    source = (
        "from senderscore_nb.reports.blocks import SUMMARY_MIME\n"
        "from IPython.display import display\n"
        "display({SUMMARY_MIME: {'a': float('nan'), 'b': [float('inf'), 1.5]}}, raw=True)"
    )
    made = PoolRunner(pool).make(Job(write_notebook(tmp_path / "n.ipynb", source)))
    assert made.twin == {"a": None, "b": [None, 1.5], "alerts": []}


def test_a_worker_that_does_not_start_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "START_SECONDS", 0.3)
    with WorkerPool(1) as slow, pytest.raises(ReportError, match=r"did not start within 0\.3"):
        html(slow, write_notebook(tmp_path / "n.ipynb", "1"))
    broken = {**os.environ, "PYTHONPATH": str(tmp_path)}
    (tmp_path / "polars.py").write_text("raise RuntimeError('a broken installation')")
    monkeypatch.undo()
    with (
        WorkerPool(1, environment=broken) as pool,
        pytest.raises(ReportError, match="a broken installation"),
    ):
        html(pool, write_notebook(tmp_path / "n.ipynb", "1"))


def test_papermill_finds_the_engine_by_itself(tmp_path):
    notebook = write_notebook(tmp_path / "in.ipynb", "print(x + 1)")
    papermill = Path(sys.executable).with_name("papermill")
    command = [papermill, "in.ipynb", "out.ipynb", "--engine", "senderscore", "-p", "x", "41"]
    done = subprocess.run(command, cwd=notebook.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    executed = nbformat.read(tmp_path / "out.ipynb", 4)
    assert executed.cells[-1].outputs[0].text == "42\n"
    assert executed.cells[-1].execution_count == 3


def test_the_environment_is_the_one_that_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_RUN", "canary")
    notebook = write_notebook(
        tmp_path / "n.ipynb", "import os; print('SECRET_OF_THE_RUN' in os.environ)"
    )
    clean = {k: v for k, v in os.environ.items() if k != "SECRET_OF_THE_RUN"}
    with WorkerPool(1, environment=clean) as pool:
        assert texts(html(pool, notebook)) == ["False\n"]
    assert texts(KernelRunner(environment=clean).make(Job(notebook)).html) == ["False\n"]
    assert texts(KernelRunner().make(Job(notebook)).html) == ["True\n"]


def test_a_worker_does_without_the_grammar_of_addresses(pool, tmp_path):
    notebook = write_notebook(
        tmp_path / "n.ipynb",
        "import sys, jsonschema; print(sys.modules.get('rfc3987_syntax'), 'lark' in sys.modules)",
    )
    assert texts(html(pool, notebook)) == ["None False\n"]


@pytest.mark.parametrize(
    ("file", "gone"),
    [
        ("/project/notebooks/beside.py", True),
        ("/added/helper.py", True),
        ("/home/me/.local/lib/python3.11/site-packages/numpy/__init__.py", False),
        ("/project/notebooks/.venv/lib/python3.11/site-packages/numpy/__init__.py", False),
        ("/project/notebooks/fast.so", False),
        ("/elsewhere/helper.py", False),
    ],
)
def test_only_modules_from_beside_a_notebook_are_forgotten(file, gone):
    module = types.SimpleNamespace(__file__=file)
    assert worker._is_beside(module, ["/project/notebooks", "/added"]) is gone
    assert worker._is_beside(types.SimpleNamespace(), ["/"]) is False
