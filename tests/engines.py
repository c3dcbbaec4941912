"""Engines for the tests: one Spark session for the whole run, and one way to ask each reader."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from senderscore_nb.sources import read_enrollments
from senderscore_nb.sources.engines import engine_enrollments, spark_session
from senderscore_nb.sources.mapping import CANONICAL, Dates
from tests.postgres import PASSWORD, Cluster, find_programs, running

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
from it shows."""

ENGINES = ("polars", "duckdb", pytest.param("spark", marks=ONE_PROCESS))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A Spark session on two cores of this machine, begun once."""
    own = {"spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("spark-warehouse"))}
    session = spark_session("local[2]", settings={**SETTINGS, **own})
    yield session
    session.stop()


@dataclass(frozen=True)
class Got:
    """What a reader made of a source.

    Attributes:
        accepted: Enrollments, by id.
        reasons: Why rows were rejected, in order of their text.
        rows: The rejected rows as JSON.
        counts: read, accepted, rejected, duplicates.
        dtypes: Column → type, before anything was cast.
    """

    accepted: pl.DataFrame
    reasons: list[str]
    rows: list[str]
    counts: tuple[int, ...]
    dtypes: dict[str, pl.DataType]


@dataclass(frozen=True)
class Reader:
    """One of the readers of enrollments: polars' own, or an engine's.

    Attributes:
        name: polars, duckdb or spark.
        session: What the engine works in.
    """

    name: str
    session: Any = None

    def read(self, source: str | Path, *, naive: str = "account", **options: Any) -> Got:
        """A source, read and brought to Python."""
        if self.name == "polars":
            if naive == "UTC":
                options["mapping"] = CANONICAL.model_copy(
                    update={"dates": Dates(naive_timestamps="UTC")}
                )
            reading = read_enrollments(source, **options)
            rejected = reading.rejected
            counts = (reading.read, reading.accepted.height, rejected.height, reading.duplicates)
            accepted = reading.accepted
        else:
            with engine_enrollments(
                source, engine=self.name, session=self.session, naive_timestamps=naive, **options
            ) as found:
                accepted, rejected = collected(found.frame), collected(found.rejected)
                counts = tuple(found.counts)
        return Got(
            accepted.sort("enrollment_id"),
            sorted(rejected["reason"].to_list()),
            sorted(rejected["row"].to_list()),
            counts,
            dict(accepted.schema),
        )


def collected(frame: Any) -> pl.DataFrame:
    """An engine's frame in Python."""
    arrow = frame.toArrow() if hasattr(frame, "toArrow") else frame.to_arrow_table()
    found = pl.from_arrow(arrow)
    assert isinstance(found, pl.DataFrame)
    return found


@pytest.fixture(params=ENGINES)
def reader(request: pytest.FixtureRequest) -> Reader:
    """Each of the readers."""
    if request.param == "spark":
        return Reader("spark", request.getfixturevalue("spark"))
    return Reader(request.param)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server of the tests' own; the password is in PGPASSWORD."""
    with pytest.MonkeyPatch.context() as patch, running() as cluster:
        patch.setenv("PGPASSWORD", PASSWORD)
        yield cluster


def placed(item: pytest.Item) -> None:
    """A test that asks for Spark runs in one worker.

    Without Java or PostgreSQL their tests cannot run; where CI is set that is a failure, not a
    skip.
    """
    names = getattr(item, "fixturenames", ())
    if "spark" in names:
        item.add_marker(ONE_PROCESS)
    group = item.get_closest_marker("xdist_group")
    in_spark = group is not None and "spark" in group.args
    lacking = (in_spark and not _java_is_there()) or ("postgres" in names and not find_programs())
    if lacking and not os.environ.get("CI"):
        item.add_marker(pytest.mark.skip(reason="see tests/install_engines.sh"))


def dealt_together(items: list[pytest.Item]) -> None:
    """Tests of one group carry its name, by which xdist deals them to one worker.

    xdist writes that name where pytest 9.2 no longer looks for it, so tests of one group went to
    several workers, and each of them began a Spark, or a JupyterLab, of its own.
    """
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is None or not item.config.getoption("loadgroup", 0):
            continue
        name = f"@{group.args[0]}"
        if hasattr(item, "_id") and not item.nodeid.endswith(name):
            item._id = type(item._id).parse(f"{item.nodeid}{name}")


def _java_is_there() -> bool:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=f"{home}/bin" if home else None) is not None
