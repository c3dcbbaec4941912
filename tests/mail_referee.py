"""The reconstruction in plain Python, one mail at a time: slow, and written from the rules."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from senderscore_nb.sources.emails import EmailRules

Mail = dict[str, Any]
Key = tuple[str, str, str]
DAY = dt.timedelta(days=1)


@dataclass
class Run:
    """A stretch of mail."""

    key: Key
    mails: list[Mail]
    replies: list[Mail] = field(default_factory=list)
    automatic: list[Mail] = field(default_factory=list)
    notices: list[Mail] = field(default_factory=list)

    @property
    def first(self) -> dt.datetime:
        return self.mails[0]["when"]

    @property
    def last(self) -> dt.datetime:
        return self.mails[-1]["when"]

    @property
    def rank(self) -> tuple[Any, ...]:
        return self.first, self.mails[0]["mail_id"], self.key[2]


def referee(mails: list[Mail], rules: EmailRules) -> list[dict[str, Any]]:
    """Enrollments: the key, the first mail's id, `replied`, `machine`, `bounced`, `end`, `why`."""
    mails = [{**m, "when": dt.datetime.fromisoformat(m["at"])} for m in mails]
    groups: dict[Key, list[Mail]] = defaultdict(list)
    for mail in mails:
        if mail["direction"] == "EMAIL":
            for to in mail["recipients"].split(";"):
                groups[mail["sequence_id"], mail["sender"], to].append(mail)
    for group in groups.values():
        group.sort(key=lambda m: (m["when"], m["mail_id"]))
    incoming = [m for m in mails if m["direction"] == "INCOMING_EMAIL"]
    runs = [run for key, group in groups.items() for run in split(key, group, [], rules)]
    deliver(incoming, runs, rules)
    ends: dict[Key, list[dt.datetime]] = defaultdict(list)
    race = dt.timedelta(minutes=rules.race_minutes)
    for run in runs:
        came = [m["when"] for m in run.replies + run.notices]
        ends[run.key] += [when for when in came if when + race < run.last]
    runs = [run for key, group in groups.items() for run in split(key, group, ends[key], rules)]
    deliver(incoming, runs, rules)
    return [outcome(run, rules) for run in runs]


def split(key: Key, group: list[Mail], ends: list[dt.datetime], rules: EmailRules) -> list[Run]:
    race, gap = dt.timedelta(minutes=rules.race_minutes), rules.gap_days * DAY
    runs: list[Run] = []
    template: str | None = None
    for before, mail in zip([None, *group], group, strict=False):
        far = before is None or mail["when"] - before["when"] > gap
        if far:
            template = mail.get("template_id")
        again = (
            not far
            and template is not None
            and mail.get("template_id") == template
            and mail["when"] - before["when"] > race
        )
        over = before is not None and any(
            end + race < mail["when"] and end >= before["when"] - race for end in ends
        )
        if far or again or over or before["status"] == "BOUNCED":
            runs.append(Run(key, []))
        runs[-1].mails.append(mail)
    return runs


def deliver(incoming: list[Mail], runs: list[Run], rules: EmailRules) -> None:
    senders = {run.key[1] for run in runs}
    for mail in incoming:
        if "daemon" in mail["sender"]:
            run = noticed(mail, runs, senders, rules)
            kind = "notices"
        else:
            run = answered(mail, runs, senders, rules)
            kind = "automatic" if mail.get("out_of_office") == "true" else "replies"
        if run is not None:
            getattr(run, kind).append(mail)


def in_thread(mail: Mail, runs: list[Run], recipient: str | None = None) -> Run | None:
    """The run whose own mail of the thread came last before a mail."""
    if mail["thread_id"] is None:
        return None
    best = [
        (max(times), run.rank, run)
        for run in runs
        if recipient in (None, run.key[2])
        and (times := thread_times(run, mail["thread_id"], mail["when"]))
    ]
    return max(best, key=lambda b: b[:2])[2] if best else None


def thread_times(run: Run, thread: str, until: dt.datetime) -> list[dt.datetime]:
    """When a run's mail came into a thread: its first there, and each after another thread."""
    times, before = [], object()
    for mail in run.mails:
        if mail["thread_id"] == thread and before != thread and mail["when"] <= until:
            times.append(mail["when"])
        before = mail["thread_id"]
    return times


def answered(mail: Mail, runs: list[Run], senders: set[str], rules: EmailRules) -> Run | None:
    own = in_thread(mail, runs, mail["sender"])
    if own is not None or mail["sender"] in senders:
        return own
    other = in_thread(mail, runs)
    if other is not None:
        return other
    return by_address(mail, mail["sender"], runs, senders, rules.reply_days)


def noticed(mail: Mail, runs: list[Run], senders: set[str], rules: EmailRules) -> Run | None:
    named = mail["text"].removeprefix("returned: ")
    exact = in_thread(mail, runs, named) or in_thread(mail, runs)
    return exact or by_address(mail, named, runs, senders, rules.notice_days)


def by_address(
    mail: Mail, address: str, runs: list[Run], senders: set[str], days: float
) -> Run | None:
    sent_to = {mail["recipients"]} & senders or senders
    still = [
        run
        for run in runs
        if run.key[2] == address
        and run.key[1] in sent_to
        and run.first <= mail["when"] <= run.last + days * DAY
    ]
    return max(still, key=lambda run: run.rank) if still else None


def outcome(run: Run, rules: EmailRules) -> dict[str, Any]:
    until = run.last + rules.gap_days * DAY
    returned = [run.last] if run.mails[-1]["status"] == "BOUNCED" else []
    returned += [m["when"] for m in run.notices]
    events = [(min(returned), 0, "bounced")] if returned else []
    if run.mails[-1]["status"] == "FAILED":
        events.append((run.last, 1, "error"))
    events += [(m["when"], 2, "reply") for m in run.replies]
    end: tuple[Any, ...] = min(events) if events and min(events)[0] <= until else ()
    if not end and until < rules.as_of:
        end = (run.last + rules.settle_days * DAY, 3, "unknown")
    return {
        "key": run.key,
        "first_id": run.mails[0]["mail_id"],
        "replied": bool(run.replies or run.automatic),
        "machine": bool(run.automatic) and not run.replies,
        "bounced": bool(returned),
        "end": end[0] if end else None,
        "why": end[2] if end else None,
    }
