"""Engines for the tests: one Spark session for the whole run, in one process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from senderscore_nb.sources.engines.spark import spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ONE_PROCESS = pytest.mark.xdist_group("spark")
"""On a test or a parameter that uses Spark, so that only one worker starts it. Tests that ask for
the fixture `spark` by name get it by themselves."""

SETTINGS = {
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.sql.session.timeZone": "Pacific/Kiritimati",
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.adaptive.enabled": "false",
}
"""Small and quick to start; and a session zone that is a day ahead of most, so that what leaks in
from it shows. The first settings of `spark_session` are tested beside."""


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A Spark session on two cores of this machine, begun once."""
    session = spark_session("local[2]", settings=SETTINGS)
    yield session
    session.stop()


def in_one_process(items: list[pytest.Item]) -> None:
    """Tests that ask for Spark run in one worker."""
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker(ONE_PROCESS)
