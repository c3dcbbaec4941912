"""A DAG of Apache Airflow that runs the notebooks itself, one mapped task for each page."""

from __future__ import annotations

import shlex

from senderscore_nb.schedule.units.target import Target

KERNEL = "senderscore"
"""The Jupyter kernel in which Airflow's workers run the notebooks."""

_DAG = '''\
# Sender score reports: makes the pages that are due, each notebook as a task of its own.
# It goes to the folder of Airflow's DAGs. Airflow needs its papermill provider, and a kernel that
# has this program's packages. On each worker, as the user that Airflow runs as:
#   pip install apache-airflow-providers-papermill
#   {python} -m ipykernel install --user --name {kernel}
# Program and plan are at the same paths on every worker. A plan that redacts cannot be run so.
{secrets}\
"""Makes the reports that are due; the plan knows which these are, also those that were missed."""

import json
import os
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
try:
    from airflow.sdk.exceptions import AirflowFailException
except ImportError:  # Airflow before 3.1
    from airflow.exceptions import AirflowFailException
from airflow.providers.papermill.operators.papermill import PapermillOperator

PROGRAM = {program}
PLAN = {plan}
WORK = {work}  # executed notebooks, until they are pages
MOST = 1000  # pages of one run; Airflow maps a task to 1024 at most, and the next run does the rest


def call(*arguments):
    """Call the program, without a shell; what it says on stderr is in the task's log."""
    command = [PROGRAM, "reports", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if done.returncode == 1:
        raise AirflowFailException("A report has failed: " + done.stdout)
    if done.returncode:
        raise RuntimeError("senderscore ended with status " + str(done.returncode))
    return done.stdout


class NotebookOperator(PapermillOperator):
    """Takes paths and parameters as they are: names in them may look like Jinja templates."""

    template_fields = ()


@dag(
    dag_id={name!r},
    schedule=timedelta(minutes={minutes}),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,  # the plan catches up by itself
    max_active_runs=1,
    tags=["senderscore"],
)
def senderscore_reports():
    @task(retries=2, retry_delay=timedelta(minutes=1))
    def list_due():
        """The pages that are due."""
        jobs = json.loads(call("list", "--due", "--format", "json", "--plan", PLAN))[:MOST]
        os.makedirs(WORK, mode=0o700, exist_ok=True)
        for job in jobs:
            # The name is a file's name without ending; nothing of it may lead out of the folder.
            job["executed"] = os.path.join(WORK, os.path.basename(job["name"]) + ".ipynb")
            Path(job["executed"]).unlink(missing_ok=True)
        return jobs

    @task
    def notebooks(jobs):
        """What papermill is given. It fills in {{name}} in paths, so braces are doubled."""
        double = str.maketrans({{"{{": "{{{{", "}}": "}}}}"}})
        return [
            {{
                "input_nb": job["notebook"].translate(double),
                "output_nb": job["executed"].translate(double),
                "parameters": job["parameters"],
            }}
            for job in jobs
        ]

    # A failed notebook is adopted too, so that the ledger knows of it; one at a time, as each
    # holds the project's lock.
    @task(
        trigger_rule="all_done",
        max_active_tis_per_dagrun=1,
        retries=3,
        retry_delay=timedelta(minutes=2),
    )
    def adopt(job):
        """Make the page of an executed notebook, tell whom the plan names, write the ledger."""
        arguments = ["--plan", PLAN, "--report", job["report"], "--for", job["period"], "--tell"]
        if job["instance"]:
            arguments.append("--instance=" + job["instance"])
        print(call("adopt", *arguments, "--", job["executed"]))
        os.unlink(job["executed"])

    jobs = list_due()
    run = NotebookOperator.partial(
        task_id="run",
        kernel_name={kernel!r},
        language_name="python",
    ).expand_kwargs(notebooks(jobs))
    run >> adopt.expand(job=jobs)


senderscore_reports()
'''

_SECRETS = """\
# Secrets come from variables of the workers' environment: {names}
"""


def airflow_files(target: Target) -> dict[str, str]:
    """The DAG; values stand in it as Python literals."""
    names = ", ".join(target.secrets)
    text = _DAG.format(
        name=target.name,
        program=ascii(str(target.program)),
        plan=ascii(str(target.plan)),
        work=ascii(str(target.folder / ".executed")),
        minutes=target.minutes,
        kernel=KERNEL,
        python=shlex.quote(str(target.program.with_name("python"))),
        secrets=_SECRETS.format(names=names) if names else "",
    )
    return {f"{target.name}.py": text}
