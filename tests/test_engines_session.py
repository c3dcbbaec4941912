"""The Spark session: what it is like, and what is said where there can be none."""

from __future__ import annotations

import stat
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


def test_a_master_of_another_form_is_told(monkeypatch):
    class Broken:
        def __getattr__(self, name):
            return lambda *given: self

        def getOrCreate(self):  # noqa: N802
            raise RuntimeError("Could not parse Master URL: 'nonsense'\n  at org.apache…")

    class Session:
        builder = Broken()

        @staticmethod
        def getActiveSession():  # noqa: N802
            return None

    monkeypatch.setattr(module, "_pyspark", lambda: Session)
    with pytest.raises(ReadError, match="Could not parse Master URL: 'nonsense'") as raised:
        spark_session("nonsense")
    assert "--master nonsense" in str(raised.value)
