"""A session of Spark: the one that is there, a cluster's, or one on this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from senderscore_nb.errors import ReadError
from senderscore_nb.sources.engines.trouble import first_line

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JAVA = 17
"""The oldest Java that Spark 4 runs on."""

_OURS = {
    "spark.app.name": "senderscore",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.log.level": "FATAL",
}
_HERE = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}
_INSTALL_JAVA = (
    f"Install a Java runtime, {JAVA} or newer (Debian, Ubuntu: 'apt-get install "
    "default-jre-headless'; macOS: 'brew install openjdk'), or set JAVA_HOME to one."
)


def spark_session(
    master: str | None = None, *, settings: Mapping[str, str] | None = None
) -> SparkSession:
    """The Spark session to work in.

    A session that is there already is taken as it is, unless a master is named; else one is
    begun on the cluster that `master`, `SPARK_MASTER` or spark-submit names, and without any on
    this machine. A session that is begun here has UTC as its zone and says errors alone.

    Args:
        master: As Spark names clusters: `spark://…`, `yarn`, `k8s://…`, `local[2]`, or `sc://…`
            for a server of Spark Connect.
        settings: More of Spark's own settings.

    Raises:
        ReadError: pyspark or Java is missing or too old, or the cluster cannot be reached.
    """
    session = _pyspark()
    if master is None and (active := session.getActiveSession()) is not None:
        return active
    master = master or os.environ.get("SPARK_MASTER")
    remote = (master or "").startswith("sc://") or (not master and "SPARK_REMOTE" in os.environ)
    if not remote:
        _check_java()
    builder = session.builder
    if master:
        builder = builder.remote(master) if remote else builder.master(master)
    chosen = {**_OURS, **(_here() if _is_here(master) and not remote else {}), **(settings or {})}
    if remote:
        chosen = {k: v for k, v in chosen.items() if k.startswith("spark.sql.")}
    if "spark.driver.extraJavaOptions" in (settings or {}) and _is_here(master) and not remote:
        chosen["spark.driver.extraJavaOptions"] += " " + _here()["spark.driver.extraJavaOptions"]
    for key, value in chosen.items():
        builder = builder.config(key, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = builder.getOrCreate()
    except (KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        raise ReadError(
            f"Spark could not be started ({first_line(error)}).",
            where=f"--master {master}" if master else None,
            hint="Check that the cluster is named as Spark names it (spark://HOST:PORT, yarn, "
            "local[2]) and can be reached from here.",
        ) from None
    _silence()
    return found


def _silence() -> None:
    """What pyspark logs of an error before it raises it is said in words already."""
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).setLevel("CRITICAL")


def _pyspark() -> type[SparkSession]:
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise ReadError(
            "Spark needs the package pyspark.", hint="pip install 'senderscore-nb[spark]'."
        ) from None
    return SparkSession


def _is_here(master: str | None) -> bool:
    """Whether nothing but this machine is meant."""
    submitted = "SPARK_ENV_LOADED" in os.environ or "PYSPARK_GATEWAY_PORT" in os.environ
    return (master or "local").startswith("local") and not (master is None and submitted)


def _here() -> dict[str, str]:
    quiet = Path(__file__).with_name("log4j2.properties").as_posix()
    return {**_HERE, "spark.driver.extraJavaOptions": f'"-Dlog4j2.configurationFile={quiet}"'}


def _check_java() -> None:
    """Java is there and new enough, as far as can be told before Spark starts it."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        where = f"JAVA_HOME={home}" if home else None
        raise ReadError("Spark needs Java, and none was found.", where=where, hint=_INSTALL_JAVA)
    try:
        told = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReadError(
            f"Java cannot be run ({first_line(error)}).", where=java, hint=_INSTALL_JAVA
        ) from None
    found = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    if found is None or int(found[1]) < JAVA:
        version = f"Java {found[1]}" if found else "no Java that tells its version"
        raise ReadError(
            f"Spark needs Java {JAVA} or newer, and this is {version}.",
            where=java,
            hint=_INSTALL_JAVA,
        )
