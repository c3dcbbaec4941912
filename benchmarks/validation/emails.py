"""Are enrollments that are reconstructed from mail the enrollments that left it?

`python -m benchmarks.validation.emails [ACCOUNTS]` writes docs/validation-mail.md. Two worlds are
simulated for each account: one with everything that makes mail hard to read but that mail still
tells, and one in which some of it tells nothing.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks.validation.finding import Finding
from senderscore_nb.sample.account import LAST_DAY, TIMEZONE
from senderscore_nb.sample.generate import simulate_rows
from senderscore_nb.sample.mails import Nuisances, SimulatedMail, simulate_mails
from senderscore_nb.sources.emails import reconstruct
from senderscore_nb.sources.emails.columns import MAIL
from senderscore_nb.sources.emails.outcomes import enrollment_ids

PAGE = Path(__file__).parents[2] / "docs" / "validation-mail.md"
TOLD = Nuisances(unmarked=0.0, mute_notices=0.0, other_template=0.0)
"""Everything that is hard and that mail still tells."""
UNTOLD = Nuisances()

_VOLUME, _WEEKS = 0.06, 16
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Claim:
    """What is claimed of a share, and between which values it should be."""

    says: str
    stated: str = "above 99 %"
    low: float = 0.99
    high: float = 1.0


CLAIMS: dict[str, Claim] = {
    "found": Claim("An enrollment is found, and begins with the mail that it began with"),
    "gap": Claim("… where it is repeated after a gap"),
    "template": Claim("… where it is repeated soon and begins with the same template"),
    "event": Claim("… where it is repeated soon after a reply or a bounce"),
    "shared": Claim("… where its mails go to a second recipient"),
    "real": Claim("An enrollment that is found is one"),
    "sender": Claim("It has the right sender, with 30 % of owner ids missing"),
    "thread": Claim("A reply in the thread is found"),
    "overlap": Claim("… also where the contact is in two sequences of one sender"),
    "address": Claim("A reply outside the thread is found by its address"),
    "alias": Claim("A reply from a declared alias is found"),
    "true reply": Claim("A reply that is found is one"),
    "machine": Claim("A marked automatic reply is kept apart from replies"),
    "status": Claim("A bounce that the mail's status tells is found"),
    "notice": Claim("A bounce that only a notice tells is found by thread or address"),
    "true bounce": Claim("A bounce that is found is one"),
    "kind": Claim("Hard, soft and unknown bounces are told apart"),
    "refused": Claim("An address that was refused before sending is no bounce"),
    "reply day": Claim("An end by a reply is on the right day"),
    "quiet day": Claim("An end that nothing tells is at most four days off", "above 97 %", 0.97),
    "astray": Claim(
        "A reply outside the thread, of a contact in two sequences, finds the earlier of them",
        "hardly any", 0.0, 0.1,
    ),
    "unmarked": Claim(
        "An automatic reply that nothing marks is counted as a reply", "about all", 0.9
    ),
    "mute": Claim("A notice without thread and address finds its bounce", "none", 0.0, 0.01),
    "nothing": Claim(
        "An enrollment repeated soon, with another template, is told from the one before",
        "hardly any", 0.0, 0.1,
    ),
    "all found": Claim("All of it together: an enrollment is found", "above 98 %", 0.98),
    "all real": Claim("All of it together: an enrollment that is found is one", "above 98 %", 0.98),
    "all replies": Claim("All of it together: a reply that is found is one", "above 90 %", 0.90),
    "all bounces": Claim("All of it together: a bounce is found", "above 92 %", 0.92),
}  # fmt: skip


def study(accounts: int, seed: int = 0) -> list[Finding]:
    """Recall and precision by case over simulated accounts, in the order of `CLAIMS`."""
    hits: Counter[str] = Counter()
    trials: Counter[str] = Counter()
    for account in range(accounts):
        rows = simulate_rows(seed + account, weeks=_WEEKS, volume=_VOLUME)
        for nuisances, judge in ((TOLD, _told), (UNTOLD, _untold)):
            sent = simulate_mails(rows, last_day=LAST_DAY, seed=seed + account, nuisances=nuisances)
            for name, right in judge(*_compared(sent)).items():
                hits[name] += int(right.sum())
                trials[name] += len(right)
    return [
        Finding(c.says, c.stated, c.low, c.high, hits[name] / trials[name], trials[name])
        for name, c in CLAIMS.items()
        if trials[name]
    ]


def mails_of(sent: SimulatedMail) -> pl.DataFrame:
    """Simulated mail under the names that `reconstruct` takes."""
    names = {headers[0]: column for column, headers in MAIL.items()}
    return sent.mails.rename({n: names[n] for n in sent.mails.columns})


def _compared(sent: SimulatedMail) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Truth beside what was found for it (`is_found`), and what was found with `is_real`."""
    aliases = dict(sent.aliases.iter_rows())
    made = reconstruct(mails_of(sent), timezone=TIMEZONE, owners=sent.owners, aliases=aliases)
    answered = pl.col("replied") & ~pl.col("out_of_office").fill_null(value=False)
    found = made.enrollments.with_columns(
        answered=answered,
        bounce_type=pl.col("bounce_type").cast(pl.String),
        end_reason=pl.col("end_reason").cast(pl.String),
    )
    truth = sent.truth.with_columns(enrollment_ids(sent.truth))
    columns = ("enrollment_id", "user_id", "answered", "bounced", "bounce_type", "end_reason",
               "ended_on", "out_of_office")  # fmt: skip
    mine = found.select("enrollment_id", *(pl.col(c).alias(f"got_{c}") for c in columns[1:]))
    beside = truth.join(mine, on="enrollment_id", how="left").with_columns(
        is_found=pl.col("got_user_id").is_not_null(),
        day=pl.col("ended_at")
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone(TIMEZONE)
        .dt.date(),
    )
    real = truth.select(
        "enrollment_id", "replied", "bounced", "overlap", is_real=pl.lit(value=True)
    )
    return beside, found.join(real, on="enrollment_id", how="left", suffix="_true").with_columns(
        pl.col("is_real", "replied_true", "bounced_true", "overlap").fill_null(value=False)
    )


def _told(truth: pl.DataFrame, found: pl.DataFrame) -> dict[str, pl.Series]:
    """By claim: right or wrong, where the mail determines the answer."""
    # A repeat whose template happens to differ cannot be told; it is counted in the other world.
    truth = truth.filter(pl.col("repeat").ne_missing(pl.lit("nothing")))
    # Without a thread, what comes back of a contact in two sequences cannot be told either.
    known = truth.filter("is_found", ~pl.col("overlap"))
    replied, bounced = known.filter("replied"), known.filter("bounced")
    twofold = truth.filter("is_found", "overlap", "replied", reply_case="thread")
    ended = known.filter(pl.col("got_ended_on").is_not_null(), pl.col("day").is_not_null())
    off = (pl.col("got_ended_on") - pl.col("day")).dt.total_days().abs()
    by_reply = pl.col("end_reason").is_in(["reply", "thread_reply"])
    cases = {
        **{case: ("is_found", truth.filter(repeat=case)) for case in ("gap", "template", "event")},
        "shared": ("is_found", truth.filter("shared")),
        "found": ("is_found", truth),
        **{
            c: ("got_answered", replied.filter(reply_case=c))
            for c in ("thread", "address", "alias")
        },
        **{c: ("got_bounced", bounced.filter(bounce_case=c)) for c in ("status", "notice")},
    }
    cases["overlap"] = ("got_answered", twofold)
    judged = {
        name: rows.select(pl.col(column)).to_series() for name, (column, rows) in cases.items()
    }
    machine = known.filter("automatic", ~pl.col("replied"))
    return judged | {
        "real": found["is_real"],
        "sender": known["user_id"] == known["got_user_id"],
        "true reply": found.filter("answered", ~pl.col("overlap"))["replied_true"],
        "machine": (machine["got_out_of_office"] & ~machine["got_answered"]).fill_null(value=False),
        "true bounce": found.filter("bounced", ~pl.col("overlap"))["bounced_true"],
        "kind": bounced["bounce_type"].eq_missing(bounced["got_bounce_type"]),
        "refused": known.filter(end_reason="blocked")["got_end_reason"] == "blocked",
        "reply day": ended.filter(by_reply).select(off == 0).to_series(),
        "quiet day": ended.filter(got_end_reason="unknown").select(off <= 4).to_series(),
    }


def _untold(truth: pl.DataFrame, found: pl.DataFrame) -> dict[str, pl.Series]:
    """By claim: right or wrong, where mail tells nothing, and all together."""
    known = truth.filter("is_found")
    bounced = known.filter("bounced")
    return {
        "unmarked": known.filter("unmarked", ~pl.col("replied"))["got_answered"],
        "mute": bounced.filter(bounce_case="mute notice")["got_bounced"],
        "nothing": truth.filter(repeat="nothing")["is_found"],
        "astray": known.filter("overlap", reply_case="address")["got_answered"],
        "all found": truth["is_found"],
        "all real": found["is_real"],
        "all replies": found.filter("answered")["replied_true"],
        "all bounces": bounced["got_bounced"],
    }


def page(findings: list[Finding], accounts: int, day: dt.date) -> str:
    """The findings as Markdown."""
    rows = [
        f"| {f.claim} | {f.stated} | {_percent(f.measured)} | {f.trials:,} | "
        f"{'yes' if f.low <= f.measured <= f.high else '**no**'} |"
        for f in findings
    ]
    return _HEAD.format(accounts=accounts, day=day) + "\n".join(rows) + "\n" + _FOOT


def _percent(share: float) -> str:
    """A share that is not rounded to all or nothing where it is not."""
    text = f"{100 * share:.2f} %"
    return text if share in (0.0, 1.0) or text not in ("100.00 %", "0.00 %") else f"{share:.5%}"


_HEAD = """\
# Enrollments from mail, held against the truth

Written by `python -m benchmarks.validation.emails {accounts}`. Measured on {day} over {accounts}
simulated accounts, each with and without what mail does not tell. The accounts are those of
`senderscore_nb.sample`; `senderscore_nb.sample.mails` turns their enrollments into e-mail objects
with 30 % of owner ids missing, automatic replies, forwarded mail, colleagues who write, bounces
that only a gateway's notice tells of, several recipients, aliases, repeated enrollments, older
copies, and all of it in no order. How enrollments are told from mail is in [emails.md](emails.md).

| claim | stated | measured | trials | agrees |
| --- | --- | ---: | ---: | --- |
"""
_FOOT = """
What the mail does not tell costs what the lines near the end say. A simulated unmarked automatic
reply does not stop its sequence, so the mails after it look like an enrollment of their own; where
the CRM takes such a reply for one, it stops the sequence as well, and only the reply is false.
Simulated mail is tidier than real mail: read these figures as what the rules do where the mail is
as described, not as what they do in an account that nobody has looked at.
"""


def main(arguments: list[str]) -> None:
    accounts = int(arguments[0]) if arguments else 100
    PAGE.write_text(page(study(accounts), accounts, dt.date.today()), encoding="utf-8")
    print(PAGE.name)


if __name__ == "__main__":
    main(sys.argv[1:])
