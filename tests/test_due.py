"""What is due: a pure function that makes each period once, the oldest first, within bounds."""

from __future__ import annotations

import datetime as dt
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.periods import Period
from senderscore_nb.schedule.due import due, pause_after
from senderscore_nb.schedule.history import History, Instance, Run, Target
from senderscore_nb.schedule.ledger import Record
from senderscore_nb.schedule.plan import Plan

ZONE = "Europe/Berlin"
MONDAY = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def plan(*reports: str, run: str = "") -> Plan:
    text = f'timezone = "{ZONE}"\n[data]\nsource = "x"\n[run]\n{run}\n'
    return Plan.model_validate(
        tomllib.loads(text + "".join(f"[[reports]]\n{r}\n" for r in reports))
    )


WEEKLY = 'name = "weekly"'


class Books:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, event: str, at: dt.datetime, **values: object) -> None:
        self.records.append(Record(event, at, dict(values)))

    @property
    def history(self) -> History:
        return History.of(self.records)

    def plan(self, report: str, period: str, at: dt.datetime, keys=("",)) -> None:
        instances = [[key, key] for key in keys]
        self.add("planned", at, report=report, period=period, instances=instances)

    def run(
        self, report: str, period: str, at: dt.datetime, status: str | None = "made", key: str = "",
        by_hand: bool = False,
    ) -> None:  # fmt: skip
        name = str(len(self.records))
        values = {"report": report, "period": period, "instance": key, "by_hand": by_hand}
        self.add("started", at, run=name, **values)
        if status:
            self.add("ended", at, run=name, status=status)

    def do(self, chosen, at: dt.datetime) -> list[tuple[str, str]]:
        """Make everything that is due."""
        for name, first, last in chosen.skipped:
            self.add("skipped", at, report=name, first=first.name, last=last.name)
        for batch in chosen.batches:
            if batch.instances is None:
                self.plan(*batch.key, at)
            self.run(*batch.key, at)
        return [batch.key for batch in chosen.batches]


def keys(chosen) -> list[tuple[str, str]]:
    return [batch.key for batch in chosen.batches]


def test_at_first_only_the_newest_period_is_due():
    assert keys(due(plan(WEEKLY), MONDAY, History())) == [("weekly", "2026-W47")]
    before = dt.datetime(2026, 11, 23, 5, 59, tzinfo=dt.UTC)  # a minute before 07:00 in Berlin
    assert keys(due(plan(WEEKLY), before, History())) == [("weekly", "2026-W46")]


def test_what_was_missed_is_caught_up_the_oldest_first_and_not_for_ever():
    books, ours = Books(), plan(WEEKLY, run="catch_up = 3")
    books.do(due(ours, MONDAY, books.history), MONDAY)
    later = MONDAY + dt.timedelta(weeks=6)
    chosen = due(ours, later, books.history)
    assert keys(chosen) == [("weekly", f"2026-W{w}") for w in (51, 52, 53)]
    ((name, first, last),) = chosen.skipped
    assert (name, first.name, last.name) == ("weekly", "2026-W48", "2026-W50")
    books.do(chosen, later)
    assert due(ours, later, books.history) == due(ours, later + dt.timedelta(days=1), books.history)
    assert due(ours, later, books.history).batches == ()
    assert due(ours, later, books.history).skipped == ()


def test_a_failure_is_tried_again_after_a_pause_and_not_for_ever():
    books, ours = Books(), plan(WEEKLY, run="attempts = 3")
    now = MONDAY
    books.plan("weekly", "2026-W47", now)
    for failures in (1, 2, 3):
        books.run("weekly", "2026-W47", now, "failed")
        assert due(ours, now, books.history).batches == ()
        soon = now + pause_after(failures) - dt.timedelta(seconds=1)
        assert due(ours, soon, books.history).batches == ()
        now += pause_after(failures)
        assert bool(due(ours, now, books.history).batches) == (failures < 3)
    books.run("weekly", "2026-W47", now, "failed", by_hand=True)  # asked for: counting begins anew
    assert keys(due(ours, now + pause_after(1), books.history)) == [("weekly", "2026-W47")]


def test_what_was_broken_off_is_due_at_once():
    for status in (None, "cancelled"):
        books = Books()
        books.plan("weekly", "2026-W47", MONDAY, ("a", "b", "c"))
        books.run("weekly", "2026-W47", MONDAY, key="a")
        books.run("weekly", "2026-W47", MONDAY, status, key="b")
        (batch,) = due(plan(WEEKLY), MONDAY, books.history).batches
        assert batch.instances == (Instance("b", "b"), Instance("c", "c"))


def test_nobody_to_make_it_for_is_done():
    books = Books()
    books.plan("weekly", "2026-W47", MONDAY, ())
    assert due(plan(WEEKLY), MONDAY, books.history).batches == ()


def test_what_waits_stays_due():
    books = Books()
    books.add("waiting", MONDAY, report="weekly", period="2026-W47", reason="no data")
    assert keys(due(plan(WEEKLY), MONDAY, books.history)) == [("weekly", "2026-W47")]
    next_week = MONDAY + dt.timedelta(weeks=1)
    assert [p for _, p in keys(due(plan(WEEKLY), next_week, books.history))] == [
        "2026-W47",
        "2026-W48",
    ]


def test_records_of_another_kind_of_period_do_not_count():
    books = Books()
    books.plan("weekly", "2026-09", MONDAY)
    books.run("weekly", "2026-09", MONDAY)
    assert keys(due(plan(WEEKLY), MONDAY, books.history)) == [("weekly", "2026-W47")]


def test_the_records_give_the_state():
    books = Books()
    books.plan("weekly", "2026-W47", MONDAY)
    books.run("weekly", "2026-W47", MONDAY, "failed")
    books.run("weekly", "2026-W47", MONDAY)
    books.run("weekly", "2026-W47", MONDAY, None)
    target = Target("weekly", "2026-W47", "")
    history = books.history
    assert [run.status for run in history.runs[target]] == ["failed", "made", "interrupted"]
    assert history.latest(target).status == "interrupted"
    made = history.made(target)
    assert isinstance(made, Run)
    assert made.status == "made"
    assert history.is_open(*target)


reports = st.lists(
    st.sampled_from(
        [
            'name = "daily"\nevery = "day"\nat = "02:30"',
            'name = "weekly"\non = "sunday"\nat = "02:30"',
            'name = "monthly"\nevery = "month"\non = 28',
        ]
    ),
    min_size=1,
    max_size=3,
    unique=True,
)
steps = st.lists(st.integers(1, 60 * 24 * 40), min_size=1, max_size=30)  # minutes between calls


@given(reports, steps, st.integers(1, 6))
def test_however_often_it_is_called_each_period_is_made_once_in_order(reports, minutes, catch_up):
    ours, books = plan(*reports, run=f"catch_up = {catch_up}"), Books()
    now = dt.datetime(2026, 3, 20, tzinfo=dt.UTC)
    made: list[tuple[str, str]] = []
    for step in minutes:
        now += dt.timedelta(minutes=step)
        chosen = due(ours, now, books.history)
        assert [b.due_at for b in chosen.batches] == sorted(b.due_at for b in chosen.batches)
        assert all(batch.due_at <= now for batch in chosen.batches)
        for report in ours.reports:
            assert sum(b.report.name == report.name for b in chosen.batches) <= catch_up
        made += books.do(chosen, now)
        assert due(ours, now, books.history).batches == ()
        assert due(ours, now, books.history).skipped == ()
    assert len(made) == len(set(made))
    skipped = books.history.skipped
    for report in ours.reports:
        own = [Period.parse(period) for name, period in made if name == report.name]
        assert own == sorted(own, key=lambda p: p.start)
        assert own[-1] == report.newest_due(now, ZONE)
        covered = {p.name for p in own}
        for first, last in skipped.get(report.name, ()):
            period = Period.parse(first)
            while period.start <= Period.parse(last).start:
                assert period.name not in covered
                covered.add(period.name)
                period = period.later(1)
        period = own[0]
        while period.start <= own[-1].start:  # no period between is neither made nor given up
            assert period.name in covered
            period = period.later(1)
