"""Addresses as they stand in mail → addresses that can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

SEPARATOR = ";"
"""Between the addresses of a text that `address_lists` makes."""

_LONGEST = 320
_ONE = r"^[^@\s<>;,\x22]+@[^@\s<>;,\x22]+$"
_ANY = r"[^\s<>;,:\x22'()\[\]]*@[^\s<>;,:\x22'()\[\]]*"
_ODD = r"[<>;,+:\x22\s]"
_PLAIN = r"^[a-z0-9._=-]+@[a-z0-9.-]+$"
_PLUS = r"\+[^@]*@"
_DAEMON = (
    r"^(mailer-daemon|mailerdaemon|mail-daemon|postmaster|bounces?|double-bounce)([+=.-][^@]*)?@"
)

Aliases = Mapping[str, str]


def addresses(values: pl.Series, *, plus: bool, aliases: Aliases) -> pl.Series:
    """One address each: lower case, without name, tag and alias; null where there is none.

    >>> addresses(pl.Series(["Jo <Jo+x@B.example>", "nobody"]), plus=True, aliases={}).to_list()
    ['jo@b.example', None]
    """
    return _where_odd(values, lambda odd: _addresses(odd, plus=plus, aliases=aliases), aliases)


def _addresses(values: pl.Series, *, plus: bool, aliases: Aliases) -> pl.Series:
    text = values.str.to_lowercase().str.strip_chars()
    odd = text.str.contains(_ODD).fill_null(value=False)
    if odd.any():
        lists = _listed(text.filter(odd), plus=plus)
        text = text.scatter(odd.arg_true(), lists.list.first())
    good = text.str.contains(_ONE) & (text.str.len_bytes() <= _LONGEST)
    return _canonical(text.set(~good.fill_null(value=False), None), aliases)


def address_lists(values: pl.Series, *, plus: bool, aliases: Aliases) -> pl.Series:
    """All addresses each, every one once, joined by `;`; null where there is none.

    Between addresses stand `;`, `,` or space; names before `<address>` are passed over.
    """
    return _where_odd(values, lambda odd: _address_lists(odd, plus=plus, aliases=aliases), aliases)


def _where_odd(
    values: pl.Series, function: Callable[[pl.Series], pl.Series], aliases: Aliases
) -> pl.Series:
    """A function of those texts that are more than one address as it is compared."""
    text = values.cast(pl.String)
    plain = text.str.contains(_PLAIN) & (text.str.len_bytes() <= _LONGEST)
    odd = (~plain).fill_null(value=False).arg_true()
    if len(odd) == len(text):
        return function(text)
    known = _canonical(text, aliases)
    return known.scatter(odd, function(text.gather(odd))) if len(odd) else known


def _address_lists(values: pl.Series, *, plus: bool, aliases: Aliases) -> pl.Series:
    text = values.str.to_lowercase().str.strip_chars()
    good = text.str.contains(_ONE) & (text.str.len_bytes() <= _LONGEST)
    plain = good & ~text.str.contains(_ODD)
    odd = (text.is_not_null() & ~plain).fill_null(value=False)
    result = _canonical(text.set(~plain.fill_null(value=False), None), aliases)
    if odd.any():
        lists = _listed(text.filter(odd), plus=plus)
        if aliases:
            lists = lists.list.eval(pl.element().replace(dict(aliases)))
        joined = lists.list.unique(maintain_order=True).list.join(SEPARATOR)
        result = result.scatter(odd.arg_true(), joined.set(joined == "", None))
    return result


def named_in(texts: pl.Series, *, plus: bool, aliases: Aliases) -> pl.Series:
    """The addresses that running text names, joined by `;`; null where there is none."""
    said = texts.is_not_null().arg_true()
    nothing = pl.repeat(None, len(texts), dtype=pl.String, eager=True)
    if not len(said):
        return nothing
    found = texts.gather(said).cast(pl.String).str.to_lowercase().str.extract_all(_ANY)
    trimmed = found.list.eval(pl.element().str.strip_chars(".-_")).list.join(SEPARATOR)
    return nothing.scatter(said, address_lists(trimmed, plus=plus, aliases=aliases))


def others(lists: pl.Series, own: pl.Series) -> pl.Series:
    """Joined addresses without the own one, in their order; null where nothing is left."""
    alone = (lists == own).fill_null(value=False)
    rest = lists.set(alone, None) if alone.any() else lists
    several = rest.str.contains(SEPARATOR, literal=True).fill_null(value=False).arg_true()
    if not len(several):
        return rest
    rows = pl.DataFrame({"at": several, "one": rest.gather(several), "own": own.gather(several)})
    kept = (
        rows.with_columns(pl.col("one").str.split(SEPARATOR))
        .explode("one")
        .filter(pl.col("one").eq_missing(pl.col("own")).not_())
        .group_by("at", maintain_order=True)
        .agg(pl.col("one").str.join(SEPARATOR))
    )
    rest = rest.scatter(several, None)
    return rest.scatter(kept["at"], kept["one"])


def is_daemon(address: pl.Expr) -> pl.Expr:
    """The address is a mail server's own."""
    return address.str.contains(_DAEMON).fill_null(value=False)


def _listed(text: pl.Series, *, plus: bool) -> pl.Series:
    """Lists of the addresses of texts in lower case."""
    bare = text.str.replace_all(r"\x22[^\x22]*\x22", " ").str.replace_all(
        r"[^;,<>]*<([^<>]*)>", " ${1} "
    )
    found = bare.str.replace_all("mailto:", " ", literal=True).str.extract_all(_ANY)
    one = pl.element()
    if plus:
        one = one.str.replace(_PLUS, "@")
    return found.list.eval(one.filter(one.str.contains(_ONE) & (one.str.len_bytes() <= _LONGEST)))


def _canonical(values: pl.Series, aliases: Aliases) -> pl.Series:
    return values.replace(dict(aliases)) if aliases else values
