"""What is measured: suites of cases that are run in turns, and what each suite aims at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.process import ROOT, console, python, run

DATA = Path(__file__).parent / ".data"
SAMPLE = ROOT / "data" / "sample"
PAGES = DATA / "report"

ROUNDS = 5
QUICK_ROUNDS = 2


@dataclass(frozen=True)
class Case:
    """A piece of work: its row in the table, and the command that does it."""

    name: str
    command: list[str]
    makes: Path | None = None


@dataclass(frozen=True)
class Aim:
    """`measure` of a case, or its ratio to another case, is at most a limit."""

    says: str
    case: str
    at_most: float
    measure: str = "seconds"
    over: str | None = None


@dataclass(frozen=True)
class Suite:
    """Cases run in turns. The first one is what the others are compared with."""

    name: str
    title: str
    cases: list[Case]
    aims: list[Aim]
    note: str = ""
    rounds: int = ROUNDS
    same_facts: bool = True


def generated(rows: int, users: int, sequences: int, days: int) -> str:
    """Path of generated enrollments, made where they are not there yet."""
    DATA.mkdir(exist_ok=True)
    path = DATA / f"enrollments-{rows}-{users}-{sequences}-{days}.parquet"
    if not path.exists():
        sizes = [str(n) for n in (rows, users, sequences, days)]
        run(python("-m", "benchmarks.data", str(path), *sizes))
    return str(path)


def _work(name: str, *paths: str) -> list[str]:
    return python("-m", "benchmarks.worker", name, *paths)


def tally(quick: bool) -> Suite:
    rows = 20_000 if quick else 20_000_000
    path = generated(rows, *((20, 5, 60) if quick else (400, 40, 365)))
    works = {
        "senderscore_nb.tally": "ours",
        "polars group_by": "polars_group_by",
        "DuckDB": "duckdb",
        "pandas": "pandas",
        "scan, values looked at": "scan",
        "scan, strings to codes": "codes",
        "scan, rows held": "read",
    }
    ours = "senderscore_nb.tally"
    return Suite(
        "tally",
        f"Daily tally of {rows:,} enrollments from Parquet",
        [Case(name, _work(work, path)) for name, work in works.items()],
        [
            Aim("at most 3 times the scan, rows held", ours, 3, over="scan, rows held"),
            Aim(
                "at most 3 times the scan, values looked at", ours, 3, over="scan, values looked at"
            ),
            Aim("ahead of DuckDB", ours, 1, over="DuckDB"),
            Aim("below 2 GB", ours, 2000, measure="peak_mb"),
        ],
        note=(
            "Sender × sequence × day in no order, two threads each; results are checked to be "
            "equal before anything is printed. The scans are floors: the same five columns "
            "decoded and looked at, the same with both strings turned into codes, and the same "
            "kept in memory."
        ),
    )


def memory(quick: bool) -> Suite:
    sizes = (10_000, 40_000, 80_000) if quick else (5_000_000, 20_000_000, 40_000_000)
    names = {f"{n:,} rows": generated(n, 20, 6, 90) for n in sizes}
    small, middle, large = names
    return Suite(
        "memory",
        "Peak memory of the tally where there are few cells",
        [Case(name, _work("ours", path)) for name, path in names.items()],
        [
            Aim(
                f"{later} in at most 1.25 times the memory of {before}",
                later,
                1.25,
                "peak_mb",
                before,
            )
            for before, later in ((small, middle), (middle, large))
        ],
        note=(
            "20 senders × 6 sequences × 90 days. What is read ahead of the counting fills up at "
            "first and is bounded; the rows themselves are not held."
        ),
        rounds=3,
        same_facts=False,
    )


def imports(_quick: bool) -> Suite:
    floor = "import polars, altair"
    ours = "import senderscore_nb"
    names = "from senderscore_nb import score, tally, read_enrollments, charts"
    return Suite(
        "import",
        "Imports, each in a fresh process",
        [Case(code, python("-c", code)) for code in (floor, ours, names)],
        [
            Aim("the package at most 1.1 times polars and altair", ours, 1.1, over=floor),
            Aim("with its names at most 1.1 times polars and altair", names, 1.1, over=floor),
        ],
        rounds=9,
    )


def help_(_quick: bool) -> Suite:
    floor, ours = "python -c pass", "senderscore --help"
    return Suite(
        "help",
        "The command line's answer",
        [Case(floor, python("-c", "pass")), Case(ours, console("--help"))],
        [Aim("below a quarter second", ours, 0.25)],
        rounds=9,
    )


def reading(_quick: bool) -> Suite:
    paths = sorted(str(p) for p in SAMPLE.glob("hubspot-crm-exports-*"))
    return Suite(
        "reading",
        "Reading the sample's export",
        [
            Case("polars read_csv, all strings", _work("read_csv", *paths)),
            Case("read_enrollments", _work("read_export", *paths)),
        ],
        [],
        note="The reader also finds encoding and dates, checks the contract and finds duplicates.",
    )


def report(_quick: bool) -> Suite:
    command = ["report", str(SAMPLE), "--timezone", "Europe/Stockholm", "--output", str(PAGES)]
    name = "senderscore report"
    return Suite(
        "report",
        "The weekly report of the sample, from the command to the page",
        [Case(name, console(*command), makes=PAGES)],
        [Aim("a page of at most 700 kB", name, 700_000, measure="bytes")],
        rounds=3,
    )


def fanout(quick: bool) -> Suite:
    few, many, slow = (4, 8, 2) if quick else (20, 200, 6)

    def case(way: str, pages: int, name: str) -> Case:
        return Case(name, python("-m", "benchmarks.fanout", way, str(pages)))

    ours, less = f"reports run, {many} pages", f"reports run, {few} pages"
    plain, commands = f"plain Python, {many} pages", f"papermill, nbconvert, {slow} pages"
    return Suite(
        "fanout",
        "Sender reports of the sample, two at a time: seconds a page",
        [
            case("ours", many, ours),
            case("ours", few, less),
            case("plain", many, plain),
            case("commands", slow, commands),
        ],
        [
            Aim("25 times the throughput of the two commands", ours, 1 / 25, over=commands),
            Aim("within 1.5 times of the same cells as plain Python", ours, 1.5, over=plain),
            Aim(f"the memory of {few} pages for {many}", ours, 1.1, "peak_mb", less),
        ],
        note=(
            "From nothing to the last page: starting, reading the data once, the cells, the pages "
            "with their pictures, the JSON twins, the ledger and the index. Plain Python runs the "
            "same cells in two processes that read once, and makes the same pages, without twins, "
            "limits, isolation or ledger. The commands are started anew for each page; their pages "
            "need a network. Peak memory is the largest process."
        ),
        rounds=3,
    )


def sweep(quick: bool) -> Suite:
    few, many = (5, 20) if quick else (1_000, 10_000)

    def case(way: str, count: int) -> Case:
        name = {"ours": "sweep", "plain": "each policy's own points"}[way]
        command = python("-m", "benchmarks.sweep", way, str(count))
        return Case(f"{name}, {count:,} policies", command)

    cases = [case("ours", many), case("ours", few), case("plain", few)]
    all_of_them, some, plain = (one.name for one in cases)
    return Suite(
        "sweep",
        f"{many:,} policies over 400 senders and 52 weeks",
        cases,
        [
            Aim("in under ten seconds", all_of_them, 10),
            Aim("a fifth of the time of each policy's own points", some, 0.2, over=plain),
            Aim(f"the memory of {few:,} policies for {many:,}", all_of_them, 1.2, "peak_mb", some),
        ],
        note=(
            "No two policies share a curve. The sweep also counts how many bands change from week "
            "to week, and the agreement with the baseline; the plain way gives the bands alone. "
            "The bands are compared before anything is printed."
        ),
        rounds=3,
    )


SUITES: dict[str, Callable[[bool], Suite]] = {
    "tally": tally,
    "memory": memory,
    "scale": lambda quick: import_module("benchmarks.scale").scale(quick),
    "import": imports,
    "help": help_,
    "reading": reading,
    "report": report,
    "fanout": fanout,
    "sweep": sweep,
    "factors": lambda quick: import_module("benchmarks.factors").factors(quick),
    "explain": lambda quick: import_module("benchmarks.explain").explain(quick),
    "reconstruct": lambda quick: import_module("benchmarks.mails").reconstruct(quick),
    "store": lambda quick: import_module("benchmarks.store").store(quick),
    "explorer": lambda quick: import_module("benchmarks.explorer").explorer(quick),
    "lab": lambda quick: import_module("benchmarks.lab").thresholds(quick),
}
