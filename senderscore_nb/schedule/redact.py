"""Names and addresses → pseudonyms that are the same every time, for whoever has the key.

`contacts` covers the people who were written to: their ids, the domains of their addresses, and
every mail address in any text. `people` covers the senders as well: ids, names and addresses, and
their names inside other texts, such as the name of a sequence. Teams keep their names.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import polars as pl

from senderscore_nb.account import Account
from senderscore_nb.contract import KEYS
from senderscore_nb.labels import labels_of_names
from senderscore_nb.selection import Selection
from senderscore_nb.sources import Reading
from senderscore_nb.store import TallyReading

Whose = Literal["none", "contacts", "people"]

_ADDRESS = re.compile(r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9.-]*[A-Za-z0-9]")
_CHARACTERS = 8
_LEAST_LETTERS = 3


@dataclass(frozen=True)
class Redactor:
    """Replaces names and addresses.

    Attributes:
        whose: Whose they are.
        key: Makes the pseudonyms; without it nobody can tell whose they are by trying names.
        names: Names of senders, with their ids; for texts that hold them.
    """

    whose: Whose
    key: bytes
    names: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, whose: Whose, key: bytes, account: Account) -> Redactor:
        """A redactor that knows the account's senders."""
        if whose != "people":
            return cls(whose, key)
        known: dict[str, str] = {}
        frames = [account.reading.spellings]
        frames += [] if account.roster is None else [account.roster]
        for frame in frames:
            pairs = frame.select("user_name", "user_id").drop_nulls().unique().sort("user_id")
            for name, user in pairs.iter_rows():
                known.setdefault(name, user)
        return cls(whose, key, tuple(sorted(known.items())))

    def pseudonym(self, kind: str, value: str) -> str:
        """The pseudonym of a value: the same for the same key, kind and value.

        >>> Redactor("people", b"k").pseudonym("user", "1003")
        'user-pmzq5ad3'
        """
        digest = hmac.new(self.key, f"{kind}\0{value}".encode(), hashlib.sha256).digest()
        return f"{kind}-{base64.b32encode(digest).decode()[:_CHARACTERS].lower()}"

    @property
    def name(self) -> str:
        """Names what is replaced and by which key, without giving the key away."""
        return "" if self.whose == "none" else f"{self.whose} {self.pseudonym('key', '')}"

    def values(self, values: Any) -> Any:
        """JSON values with `text` applied to every text in them."""
        if isinstance(values, str):
            return self.text(values)
        if isinstance(values, dict):
            return {key: self.values(value) for key, value in values.items()}
        return [self.values(v) for v in values] if isinstance(values, list) else values

    def user(self, user_id: str) -> str:
        """A sender's id as it is shown."""
        return self.pseudonym("user", user_id) if self.whose == "people" else user_id

    def text(self, text: str) -> str:
        """A text without mail addresses and, for people, without the senders' names."""
        if self.whose == "none":
            return text
        text = _ADDRESS.sub(lambda match: self.pseudonym("address", match[0].casefold()), text)
        if self._known is not None:
            text = self._known.sub(lambda match: self._names[match[0]], _plain(text))
        return text

    def selection(self, selection: Selection) -> Selection:
        """The selection of the same senders after redaction."""
        users = tuple(self.user(user) for user in selection.users)
        return selection.model_copy(update={"users": users})

    def account(self, account: Account) -> Account:
        """The account with pseudonyms; counts, dates and sequences' ids are as they were."""
        if self.whose == "none":
            return account
        reading = self._reading(account.reading)
        roster = None if account.roster is None else self._frame(account.roster)
        return replace(
            account,
            reading=reading,
            tallies=self._frame(account.tallies).sort("user_id", "sequence_id", "day"),
            roster=roster,
            labels=labels_of_names(reading.names, roster),
        )

    def _reading(self, reading: Reading) -> Reading:
        files = tuple(
            replace(file, path=self.text(file.path), unmapped={}) for file in reading.files
        )
        if isinstance(reading, TallyReading):
            tallied = replace(
                reading.tallied,
                tallies=self._frame(reading.tallied.tallies).sort(KEYS),
                users=self._frame(reading.tallied.users),
                sequences=self._frame(reading.tallied.sequences),
            )
            return TallyReading(tallied, files)
        rejected = reading.rejected.with_columns(
            self._mapped(reading.rejected["file"], self.text),
            self._mapped(reading.rejected["reason"], self.text),
            pl.lit(None, pl.String).alias("row"),
        )
        rows = self._frame(reading.accepted)
        return replace(reading, accepted=rows, rejected=rejected, files=files)

    def _frame(self, frame: pl.DataFrame) -> pl.DataFrame:
        replaced = []
        for name, kind in frame.schema.items():
            if kind != pl.String or name in ("enrollment_id", "sequence_id", "team"):
                continue
            replaced.append(self._column(frame[name]))
        return frame.with_columns(replaced)

    def _column(self, values: pl.Series) -> pl.Series:
        people = self.whose == "people"
        match values.name:
            case "user_id":
                return self._mapped(values, self.user)
            case "user_name" if people:
                return self._mapped(values, lambda name: self._names.get(name, "Sender"))
            case "email" if people:
                return self._mapped(values, lambda _: None)
            case "email":
                return values
            case "contact_id":
                return self._mapped(values, lambda value: self.pseudonym("contact", value))
            case "recipient_domain":
                return self._mapped(values, lambda value: self.pseudonym("domain", value))
        return self._mapped(values, self.text)

    @staticmethod
    def _mapped(values: pl.Series, change: object) -> pl.Series:
        """Each distinct value changed once."""
        assert callable(change)  # noqa: S101
        distinct = values.drop_nulls().unique()
        new = pl.Series([change(value) for value in distinct], dtype=pl.String)
        return values.replace_strict(distinct, new, default=None, return_dtype=pl.String)

    @cached_property
    def _names(self) -> dict[str, str]:
        """Full names, and the words in them, with what is shown instead."""
        shown: dict[str, str] = {}
        for name, user in self.names:
            pseudonym = f"Sender {self.pseudonym('user', user).removeprefix('user-').upper()}"
            shown[name] = pseudonym
            for spelling in (_plain(name), _plain(name).upper(), _plain(name).lower()):
                shown.setdefault(spelling, pseudonym)
            for word in _words(_plain(name)):
                shown.setdefault(word, pseudonym)
                shown.setdefault(word.upper(), pseudonym)
        return shown

    @cached_property
    def _known(self) -> re.Pattern[str] | None:
        """The names where they stand as words: also beside digits and underscores."""
        longest = sorted(self._names, key=lambda name: (-len(name), name))
        if not longest:
            return None
        letter = r"[^\W\d_]"
        return re.compile(rf"(?<!{letter})(?:{'|'.join(map(re.escape, longest))})(?!{letter})")


def _plain(text: str) -> str:
    """Accents as one character each, however they were typed."""
    return unicodedata.normalize("NFC", text)


def _words(name: str) -> Iterable[str]:
    return (word for word in re.findall(r"[^\W\d_]+", name) if len(word) >= _LEAST_LETTERS)
