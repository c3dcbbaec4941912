"""What a pull does, step by step; after a kill at any of them the next pull goes on from there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import polars as pl

from senderscore_nb.errors import PullError
from senderscore_nb.safe import sweep
from senderscore_nb.sources.hubspot.answers import ScopeError
from senderscore_nb.sources.hubspot.connection import Api
from senderscore_nb.sources.hubspot.mails import RECIPIENTS, SENDER, MailReader, Window
from senderscore_nb.sources.hubspot.people import read_owners, read_sequences
from senderscore_nb.sources.hubspot.state import Run, State, read_state, write_state
from senderscore_nb.sources.hubspot.store import Store, month_files, write_parquet

_FOLD = 200_000
"""Mails that wait in parts before they are folded into the months."""

_LONG = 300_000
"""Milliseconds after which a run is followed by another one, for what was modified meanwhile."""


class Watch(Protocol):
    """Who is told of the progress."""

    def say(self, line: str) -> None:
        """Something that the user should know."""

    def expect(self, mails: int) -> None:
        """So many are to come."""

    def advance(self, mails: int) -> None:
        """So many have come."""


@dataclass(frozen=True)
class Wish:
    """What is wanted of a pull.

    Attributes:
        since: Mails modified from here on, in milliseconds since 1970; None for what the folder
            has begun with, or everything.
        full: All of it once more, in place of what is there.
        with_text: Keep the texts of all mails.
        overlap: Milliseconds before the end of the last pull that are looked at again.
    """

    since: int | None
    full: bool
    with_text: bool
    overlap: int


@dataclass
class Pull:
    """One pull into a folder; nobody else may be at work there.

    Args:
        folder: Where everything is kept.
        api: The open connection.
        wish: What is wanted.
        watch: Who is told.
    """

    folder: Path
    api: Api
    wish: Wish
    watch: Watch
    mails: int = field(default=0, init=False)
    owners: int | None = field(default=None, init=False)
    sequences: int | None = field(default=None, init=False)
    months: set[str] = field(default_factory=set, init=False)
    notes: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._work = self.folder / ".pull"
        sweep(self.folder)
        self._state = read_state(self._work / "state.json") or State(since=self.wish.since or 0)
        self._store = Store(self.folder / "emails", self._work)
        self._reader = MailReader(self.api, self.wish.with_text, self._note, self.watch.advance)
        self._addressed = False

    def people(self) -> None:
        """Owners and sequences, as they are now; what the token may not see is said.

        Raises:
            PullError: There is no answer, or the token is another account's.
        """
        try:
            owners = read_owners(self.api)
        except ScopeError as error:
            self._note(f"Owners are left out: {error}")
            return
        self._refuse_another_account(owners)
        write_parquet(self.folder / "owners.parquet", owners)
        self.owners = owners.height
        users = owners.filter(pl.col("archived") == "false")["userId"].drop_nulls().unique().sort()
        try:
            sequences = read_sequences(self.api, users, self._note)
        except ScopeError as error:
            self._note(f"Names of sequences are left out: {error}")
            return
        write_parquet(self.folder / "sequences.parquet", sequences)
        self.sequences = sequences.height

    def all_mails(self) -> State:
        """What an earlier pull has left to do, and then what has changed since.

        Raises:
            PullError: It could not be finished; what has come is kept and folded in.
        """
        left = self._state.run
        if left is not None and self.wish.full and not left.full:
            left = None
        if left is not None:
            self.watch.say("An earlier pull was broken off; it goes on from there.")
            self._run(left)
        run = self._begun(full=self.wish.full and not (left is not None and left.full))
        self._run(run)
        # A mail that was modified while a run was on its way may not have come in any version.
        while run.full or self.api.now() - run.last > _LONG:
            run = self._begun(full=False)
            self._run(run)
        return self._state

    def _begun(self, *, full: bool) -> Run:
        """A new run, kept."""
        before, now = self._state, self.api.now()
        since = before.since if self.wish.since is None else self.wish.since
        if since > now:
            raise PullError("--since is in the future.", hint="Leave it out for all mails.")
        if before.through is None or full or since < before.since:
            first = since
        else:
            first, since = max(before.since, before.through - self.wish.overlap), before.since
        if before.through is not None and not full:
            self._note_texts(before)
        run = Run(first=first, last=max(first, now), at=first, full=full)
        self._fold()
        self._store.clear()
        self._keep(since=since, with_text=self.wish.with_text, run=run)
        return run

    def _run(self, run: Run) -> None:
        if run.months is None:
            try:
                run = self._windows(run)
            except PullError:
                self._fold(run)
                raise
            self._fold(run)
        if run.full:
            if run.months is None:
                run = run.model_copy(
                    update={"months": tuple(p.stem for p in month_files(self._store.fresh))}
                )
                self._keep(run=run)
            self._store.replace_by_fresh(run.months or ())
        self._keep(through=run.last, run=None)

    def _windows(self, run: Run) -> Run:
        """Window after window, each kept before the next one is read."""
        most = self.api.settings.window
        expected = crowded = False
        while run.at <= run.last:
            window = Window(run.at, run.at if run.above else run.last, run.above)
            if crowded and not run.above:
                window = self._reader.shortened(window, most)
                crowded = window.last < run.last
            page = self._reader.first_page(window)
            if not expected:
                self.watch.expect(page.total)
                expected = True
                if page.total > most and window.first < window.last:
                    crowded = True
                    continue
            found, whole = self._reader.rest(window, page, most)
            if found:
                self._add(run, self._reader.frame(found))
            after = {"at": window.last + 1, "above": ""} if whole else {"above": found[-1].id}
            run = run.model_copy(update={**after, "parts": run.parts + bool(found)})
            self._keep(run=run)
            if self._store.waiting >= _FOLD:
                self._fold(run)
        return run

    def _add(self, run: Run, frame: pl.DataFrame) -> None:
        self._store.add(run.parts, frame)
        self.mails += frame.height
        blank = frame.select(pl.all_horizontal(pl.col(SENDER, RECIPIENTS).is_null()).all()).item()
        self._addressed |= not blank
        if not self._addressed and self.mails >= self.api.settings.page:
            self._addressed = True
            self._note(
                "No mail has an address so far: perhaps the token lacks the scope sales-email-read."
            )

    def _fold(self, run: Run | None = None) -> None:
        run = run or self._state.run
        full = run is not None and run.full
        months = self._store.fold(self._store.fresh if full else self._store.months)
        self.months |= set(months)

    def _keep(self, **changes: object) -> None:
        self._state = self._state.model_copy(update=changes)
        write_state(self._work / "state.json", self._state)

    def _note(self, line: str) -> None:
        self.notes.append(line)
        self.watch.say(line)

    def _note_texts(self, before: State) -> None:
        if before.with_text != self.wish.with_text:
            have = "with" if before.with_text else "without"
            self._note(f"Mails pulled earlier stay {have} their texts; --full changes that.")

    def _refuse_another_account(self, owners: pl.DataFrame) -> None:
        """Two accounts have no owner in common."""
        path = self.folder / "owners.parquet"
        if not path.exists() or owners.is_empty():
            return
        try:
            known = pl.read_parquet(path, columns=["id"], glob=False)["id"]
        except (pl.exceptions.PolarsError, OSError):
            return  # it is written anew
        if len(known) and not known.is_in(owners["id"].implode()).any():
            raise PullError(
                "None of the owners that were pulled before is in the account of this token.",
                where=str(self.folder),
                hint="Pull each account into a folder of its own.",
            )
