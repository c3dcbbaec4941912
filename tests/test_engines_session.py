"""The Spark session: what it is like, and what is said where there can be none."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from senderscore_nb.errors import ReadError
from senderscore_nb.sources.engines import spark as module
from senderscore_nb.sources.engines.spark import spark_session


def test_the_session_that_is_there_is_taken(spark):
    assert spark_session() is spark
    assert spark_session().range(3).count() == 3


def test_without_pyspark_the_install_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(ReadError, match=r"pip install 'senderscore-nb\[spark\]'"):
        spark_session("local[2]")


def _java(tmp_path, text):
    folder = tmp_path / "jdk" / "bin"
    folder.mkdir(parents=True)
    program = folder / "java"
    program.write_text(f"#!/bin/sh\necho '{text}' >&2\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(folder.parent)


def test_without_java_the_way_to_one_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(ReadError, match="needs Java, and none was found") as raised:
        spark_session("local[2]")
    assert "apt-get install default-jre-headless" in str(raised.value)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ('java version "1.8.0_402"', "17 or newer, and this is Java 8"),
        ('openjdk version "11.0.22" 2024', "17 or newer, and this is Java 11"),
        ("boo", "no Java that tells its version"),
    ],
)
def test_an_old_java_is_told(monkeypatch, tmp_path, told, said):
    monkeypatch.setenv("JAVA_HOME", _java(tmp_path, told))
    with pytest.raises(ReadError, match=said):
        spark_session("local[2]")


def test_java_may_be_newer(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", _java(tmp_path, 'openjdk version "25-ea" 2025-09-16'))
    module._check_java()


class Builder:
    """Stands for Spark's builder: keeps what it is told, and gives itself or gives up."""

    def __init__(self, error=None):
        self.told, self.error = {}, error

    def master(self, name):
        return self.config("master", name)

    def remote(self, name):
        return self.config("remote", name)

    def config(self, key, value):
        self.told[key] = value
        return self

    def getOrCreate(self):  # noqa: N802
        if self.error:
            raise RuntimeError(self.error)
        return self


@pytest.fixture
def building(monkeypatch):
    """A builder in the place of Spark's, and no session yet."""

    def place(error=None):
        builder = Builder(error)
        session = type(
            "Session", (), {"builder": builder, "getActiveSession": staticmethod(lambda: None)}
        )
        monkeypatch.setattr(module, "_pyspark", lambda: session)
        return builder

    for name in ("SPARK_MASTER", "SPARK_REMOTE", "SPARK_ENV_LOADED", "PYSPARK_GATEWAY_PORT"):
        monkeypatch.delenv(name, raising=False)
    return place


def test_a_session_is_begun_where_it_is_said(building, monkeypatch):
    here = building()
    spark_session(settings={"spark.x": "y"})
    assert "master" not in here.told
    assert here.told["spark.sql.session.timeZone"] == "UTC"
    assert here.told["spark.sql.execution.arrow.pyspark.enabled"] == "true"
    assert here.told["spark.x"] == "y"
    assert "log4j2.properties" in here.told["spark.driver.extraJavaOptions"]
    monkeypatch.setenv("SPARK_MASTER", "spark://there:7077")
    there = building()
    spark_session()
    assert there.told["master"] == "spark://there:7077"
    assert "spark.driver.host" not in there.told
    other = building()
    spark_session("yarn")
    assert other.told["master"] == "yarn"
    connect = building()
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    spark_session("sc://there")
    assert connect.told["remote"] == "sc://there"
    assert all(k == "remote" or k.startswith("spark.sql.") for k in connect.told)


def test_a_master_of_another_form_is_told(building):
    building("Could not parse Master URL: 'nonsense'\n  at org.apache…")
    with pytest.raises(ReadError, match="Could not parse Master URL: 'nonsense'") as raised:
        spark_session("nonsense")
    assert "--master nonsense" in str(raised.value)


def test_the_command_says_that_java_is_missing(tmp_path):
    command = [sys.executable, "-c", "from senderscore_nb.cli import main; main()", "reconstruct"]
    options = [str(tmp_path), "--engine", "spark", "--timezone", "UTC", "-o", "x.parquet"]
    got = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False,
        env={**os.environ, "JAVA_HOME": str(tmp_path)}, cwd=tmp_path,
    )  # fmt: skip
    assert got.returncode == 2
    assert "Spark needs Java, and none was found" in got.stderr
    assert "Traceback" not in got.stderr
