"""Spark: the tables that a session opens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from senderscore_nb.errors import ReadError
from senderscore_nb.sources.engines.dialect import Spark
from senderscore_nb.sources.engines.engine import Engine, Frame, by_place
from senderscore_nb.sources.engines.places import Files, alike, header_of
from senderscore_nb.sources.engines.spark import spark_session
from senderscore_nb.sources.engines.trouble import in_words
from senderscore_nb.sources.engines.values import Kind

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SLICE = 2_000_000
"""Rows that a driver takes from its cluster at a time."""

_NANOSECONDS = (
    "Timestamps in nanoseconds are not read by Spark: write them in microseconds (pandas: "
    "coerce_timestamps='us')."
)
_KINDS: dict[str, Kind] = {
    "string": "text",
    "date": "date",
    "timestamp": "instant",
    "timestamp_ntz": "naive",
    "boolean": "boolean",
    "float": "float",
    "double": "float",
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), "integer"),
}


class SparkEngine(Engine):
    """A session of Spark.

    Args:
        session: One of the user's; without, that of `spark_session`.
    """

    def __init__(self, session: SparkSession | None) -> None:
        self.dialect = Spark()
        self.session = spark_session() if session is None else session
        self._persisted: list[Frame] = []

    def select(self, frame: Frame, columns: Mapping[str, str]) -> Frame:
        """A projection."""
        quote = self.dialect.quote
        return frame.selectExpr(*(f"{sql} AS {quote(name)}" for name, sql in columns.items()))

    def where(self, frame: Frame, condition: str) -> Frame:
        """A filter."""
        return frame.filter(condition)

    def grouped(self, frame: Frame, key: str, columns: Mapping[str, str]) -> Frame:
        """An aggregate by one column."""
        from pyspark.sql import functions as F  # noqa: N812

        return frame.groupBy(key).agg(*(F.expr(sql).alias(n) for n, sql in columns.items()))

    def among(self, frame: Frame, others: Frame, key: str, *, keep: bool) -> Frame:
        """A semi join, or an anti join."""
        return frame.join(others, key, "left_semi" if keep else "left_anti")

    def joined(self, frame: Frame, others: Frame, condition: str) -> Frame:
        """A left join."""
        from pyspark.sql import functions as F  # noqa: N812

        return frame.join(others, F.expr(condition), "left")

    def together(self, one: Frame, other: Frame) -> Frame:
        """UNION ALL."""
        return one.union(other)

    def kept(self, frame: Frame) -> Frame:
        """Kept by the executors."""
        held = frame.persist()
        self._persisted.append(held)
        return held

    def rows(self, frame: Frame) -> list[tuple[Any, ...]]:
        """All of them."""
        return [tuple(row) for row in frame.collect()]

    def columns(self, frame: Frame) -> list[tuple[str, Kind]]:
        """By the names of Spark's types."""
        return [(name, _kind(kind)) for name, kind in frame.dtypes]

    def write(self, frame: Frame, folder: str) -> None:
        """By the workers where they are on this machine, else through the driver in slices."""
        if self._is_here():
            frame.write.mode("overwrite").parquet(_path(Path(folder)))
        if not list(Path(folder).glob("*.parquet")):
            self.write_slices(frame, folder)

    def write_slices(self, frame: Frame, folder: str, slice_rows: int = SLICE) -> None:
        """Through the driver, a slice of the rows at a time."""
        import pyarrow.parquet as pq

        numbered = self.kept(self.select(
            frame, {**{n: self.dialect.quote(n) for n in frame.columns},
                    "__slice": "monotonically_increasing_id()"}
        ))  # fmt: skip
        slices = -(-numbered.count() // slice_rows) or 1
        for i in range(slices):
            mine = numbered.filter(f"pmod(xxhash64(__slice), {slices}) = {i}").drop("__slice")
            pq.write_table(mine.toArrow(), Path(folder) / f"rows-{i:05}.parquet")

    def one_row(self) -> Frame:
        """A frame of one row."""
        return self.session.range(1)

    def close(self) -> None:
        """Let the executors forget what they kept; the session goes on."""
        for frame in self._persisted:
            frame.unpersist()
        self._persisted.clear()

    def open_files(self, files: Files) -> tuple[Frame, list[str]]:
        """Files as one frame of columns `__0`, `__1`, …, and their names.

        Raises:
            ReadError: A file is not what its ending says.
        """
        if files.form == "parquet":
            return self.open_parquet([_path(path) for path in files.paths], files.where)
        groups = alike(files)
        names = list(dict.fromkeys(name for group in groups for name in group.headers))
        frame: Frame = None
        for group in groups:
            with in_words(files.where):
                read = self._csv(
                    [_path(path) for path in group.paths], len(group.headers), group.delimiter
                )
                part = self.select(read, by_place(names, group.headers, self.dialect))
                frame = part if frame is None else self.together(frame, part)
        return frame, names

    def open_remote(self, address: str) -> tuple[Frame, list[str]]:
        """What a cluster's file system holds at an address: CSV by its ending, else Parquet."""
        if not re.search(r"\.(csv|tsv)(\.gz)?$", address.casefold()):
            return self.open_parquet([address], address)
        with in_words(address):
            lines = self.session.read.text(address).limit(1).collect()
            if not lines:
                raise ReadError("The file is empty: not even a header.", where=address)
            headers, delimiter = header_of(str(lines[0][0]).encode(), Path(address))
            frame = self._csv([address], len(headers), delimiter)
        return frame, list(headers)

    def open_parquet(self, paths: list[str], where: str) -> tuple[Frame, list[str]]:
        """Parquet; columns of several files are put together by name."""
        with in_words(where, hint=_NANOSECONDS):
            frame = self.session.read.option("mergeSchema", "true").parquet(*paths)
            return self.numbered(frame)

    def open_table(self, name: str) -> tuple[Frame, list[str]]:
        """A table of the catalog, as Spark's SQL names it."""
        with in_words(name):
            return self.numbered(self.session.table(name))

    def numbered(self, frame: Frame) -> tuple[Frame, list[str]]:
        """A frame with its columns by place."""
        return frame.toDF(*(f"__{i}" for i in range(len(frame.columns)))), list(frame.columns)

    def _csv(self, paths: list[str], width: int, delimiter: str) -> Frame:
        schema = ", ".join(f"`__{i}` STRING" for i in range(width))
        reader = self.session.read.schema(schema).option("columnPruning", "false")
        return reader.csv(
            paths, header=True, sep=delimiter, quote='"', escape='"', multiLine=True,
            mode="FAILFAST", enforceSchema=True,
        )  # fmt: skip

    def _is_here(self) -> bool:
        master: str = self.session.conf.get("spark.master", "") or ""
        return master.startswith("local")


def _path(path: Path) -> str:
    """A path as Hadoop takes it: what a glob would mean by itself has a backslash."""
    return "file://" + re.sub(r"([*?\[\]{}\\])", r"\\\1", str(path.absolute()))


def _kind(name: str) -> Kind:
    return _KINDS.get(name, "decimal" if name.startswith("decimal") else "other")
