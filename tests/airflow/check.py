"""Whether a real Airflow reads the DAG that is printed for it, and runs it to the end.

    python tests/airflow/check.py [FOLDER]

Airflow gets an environment of its own, in FOLDER, where it is used again while the versions in
constraints.txt are the same; in a temporary folder unless given.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import nbformat

from senderscore_nb.schedule.units import Target, unit

HERE = Path(__file__).parent
PINS = HERE / "constraints.txt"
WANTED = ("apache-airflow", "apache-airflow-providers-papermill", "ipykernel")

NAME = 'it\'s {x} {{ 7*7 }} 50% "q" \\ ü'
JOBS = (
    ("weekly", "2026-W46", "", "good", {"n": 2, "text": NAME, "none": None, "flag": True}),
    ("senders", "2026-W46", "--7 {{ 7*7 }}", "good", {"n": 3, "users": ["a", NAME], "share": 0.5}),
    ("broken", "2026-W46", "", "bad", {"n": 4}),
)

PROGRAM = """\
#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with open(here / "calls.jsonl", "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1:3] == ["reports", "list"]:
    print((here / "jobs.json").read_text())
else:
    cells = json.loads(pathlib.Path(sys.argv[-1]).read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    if any(output["output_type"] == "error" for output in outputs):
        sys.exit(1)
    said = "".join("".join(output.get("text", "")) for output in outputs)
    with open(here / "adopted.jsonl", "a") as log:
        log.write(json.dumps([*sys.argv[3:-1], json.loads(said)]) + "\\n")
"""
"""Stands for the program: lists jobs, and notes what executed notebooks have printed."""


def main() -> int:
    """Make the environment, then check; the number of failures is the exit status."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else Path(scratch, "venv")
        python = environment(folder)
        return check(python, Path(scratch))


def environment(folder: Path) -> Path:
    """The Python of an environment with Airflow in the versions that are pinned."""
    python, stamp = folder / "bin" / "python", folder / "pins"
    pins = hashlib.sha256(PINS.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != pins:
        print("Installing Airflow ...", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, "--constraint", PINS, *WANTED], check=True)
        stamp.write_text(pins)
    return python


def check(python: Path, scratch: Path) -> int:
    """Run the DAG on a project of hostile names, and compare what was called and adopted."""
    target, jobs = project(python, scratch)
    dags = scratch / "dags"
    dags.mkdir()
    (dags / "reports.py").write_text(unit("airflow", target), encoding="utf-8")
    kernel(python, scratch / "jupyter")
    settings = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "JUPYTER_PATH": str(scratch / "jupyter"),
        "AIRFLOW_HOME": str(scratch / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "PYTHONWARNINGS": "ignore",
        "JOBS": str(target.program.with_name("jobs.json")),
    }
    inside = [python, HERE / "inside.py", dags, target.name]
    done = subprocess.run(inside, env=settings, capture_output=True, text=True, cwd=scratch)
    if not done.stdout.startswith("{"):
        print(done.stdout, done.stderr)
        return 1
    result = json.loads(done.stdout.splitlines()[0])
    failed = 0
    checks = expectations(target, jobs, result)
    for what, found, expected in checks:
        if found != expected:
            failed += 1
            print(f"FAILED {what}\n  found    {found}\n  expected {expected}")
    if failed:
        print(done.stderr[-60_000:])
    print(f"Airflow {result['version']}: {len(checks) - failed} passed, {failed} failed")
    return failed


def project(python: Path, scratch: Path) -> tuple[Target, list[dict[str, object]]]:
    """A project whose every name is an attack, with three pages due of which one fails."""
    folder, programs = scratch / f"project {NAME}", scratch / f"bin {NAME}"
    folder.mkdir()
    programs.mkdir()
    cells = {
        "good": "import json\nprint(json.dumps({k: v for k, v in sorted(globals().items())"
        " if k in ('n', 'text', 'none', 'flag', 'users', 'share')}))",
        "bad": "raise ValueError(n)",
    }
    for name, source in cells.items():
        given = nbformat.v4.new_code_cell("n = 1", metadata={"tags": ["parameters"]})
        notebook = nbformat.v4.new_notebook(cells=[given, nbformat.v4.new_code_cell(source)])
        nbformat.write(notebook, folder / f"{name} {NAME}.ipynb")
    jobs: list[dict[str, object]] = [
        {
            "report": report,
            "period": period,
            "instance": instance,
            "label": instance,
            "notebook": str(folder / f"{notebook} {NAME}.ipynb"),
            "parameters": parameters,
            "name": f"{report}-{period}-{NAME}",
        }
        for report, period, instance, notebook, parameters in JOBS
    ]
    program = programs / "senderscore"
    program.write_text(PROGRAM.format(python=python))
    program.chmod(0o755)
    (programs / "jobs.json").write_text(json.dumps(jobs))
    return Target(folder / f"{NAME}.toml", program, secrets=("SMTP_PASSWORD",)), jobs


def kernel(python: Path, folder: Path) -> None:
    """The kernel that the DAG names."""
    command = [python, "-m", "ipykernel", "install", "--prefix", folder, "--name", "senderscore"]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "share/jupyter/kernels").rename(folder / "kernels")


def expectations(
    target: Target, jobs: list[dict[str, object]], result: dict[str, object]
) -> list[tuple[str, object, object]]:
    """What is compared: name, found, expected."""
    calls = lines(target.program.with_name("calls.jsonl"))
    adopted = lines(target.program.with_name("adopted.jsonl"))
    plan, work = str(target.plan), target.folder / ".executed"
    options = []
    for job in jobs:
        about = ["--plan", plan, "--report", job["report"], "--for", job["period"], "--tell"]
        instance = [f"--instance={job['instance']}"] if job["instance"] else []
        options.append([*about, *instance, "--"])
    expected = [
        ["reports", "adopt", *known, str(work / f"{job['name']}.ipynb")]
        for known, job in zip(options, jobs, strict=True)
    ]
    good = [[*known, job["parameters"]] for known, job in zip(options, jobs, strict=True)][:2]
    return [
        ("import errors", result["import_errors"], {}),
        ("settings", result["settings"], [False, 1, 15]),
        (
            "first call",
            calls[:1],
            [["reports", "list", "--due", "--format", "json", "--plan", plan]],
        ),
        ("calls", sorted(calls[1:-1]), sorted(expected)),
        ("parameters as the notebooks had them", sorted(adopted, key=str), sorted(good, key=str)),
        ("tasks", result["tasks"], TASKS),
        ("a failed report fails the run", result["state"], "failed"),
        ("left over", [path.name for path in work.iterdir()], [f"{jobs[2]['name']}.ipynb"]),
        ("mode of the folder", work.stat().st_mode & 0o777, 0o700),
        ("nothing due", result["idle"], IDLE),
    ]


TASKS = {
    "adopt": ["failed", "success", "success"],
    "list_due": ["success"],
    "notebooks": ["success"],
    "run": ["failed", "success", "success"],
}
IDLE = {"list_due": ["success"], "notebooks": ["success"], "run": ["skipped"], "adopt": ["skipped"]}


def lines(path: Path) -> list[list[object]]:
    """The values of a file with one JSON value a line."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    sys.exit(main())
