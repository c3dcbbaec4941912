"""The command line: each command is a few lines over a library function.

Heavy packages are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import click

from senderscore_nb.cli import (
    app,
    calibrate,
    data,
    drivers,
    factors,
    outlook,
    policy,
    project,
    pull,
    reconstruct,
    reports,
    store,
    tally,
)
from senderscore_nb.cli.base import Group

__all__ = ["main"]


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="senderscore-nb", prog_name="senderscore")
def main() -> None:
    """See, explain and improve the sequences sender score.

    DATA is a file, a folder or a glob of CSV, TSV, XLSX or Parquet exports, a tally file, or a
    tally store.
    """


for _command in (
    data.score,
    data.check,
    pull.pull,
    reconstruct.reconstruct,
    data.report,
    tally.tally,
    store.store,
    policy.policy,
    drivers.drivers,
    factors.contacts,
    app.app,
    project.init,
    reports.reports,
    project.schedule,
):
    main.add_command(_command)
policy.policy.add_command(calibrate.calibrate)
for _command in (outlook.watch, outlook.shrinkage, outlook.ahead):
    drivers.drivers.add_command(_command)
