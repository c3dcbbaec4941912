"""Drafts for the threshold lab's tests: near policies, and far from them."""

from __future__ import annotations

from hypothesis import strategies as st

from senderscore_nb.lab import Draft, Trial
from senderscore_nb.lab.state import BandDraft, CurveDraft

rates = st.one_of(st.integers(0, 20).map(lambda n: n / 100), st.floats(-0.5, 1.5))
points = st.one_of(st.integers(0, 60).map(float), st.floats(-5, 60))
names = st.sampled_from(
    ["Low", "Fair", "Good", "Very good", "low", "Lōw!", "  ", "", "<b>", "x" * 81, '"q"\\', "日本"]
)


@st.composite
def curves(draw: st.DrawFn, *, rising: bool, valid: bool = False) -> CurveDraft:
    """A curve whose knots are mostly in order; always, where it must be valid."""
    size = draw(st.integers(1 if valid else 0, 5))
    if valid:
        at = sorted(draw(st.lists(st.integers(0, 1000), min_size=size, max_size=size, unique=True)))
        gives = draw(st.lists(st.integers(0, 60), min_size=size, max_size=size))
        knots = [(n / 1000, float(p)) for n, p in zip(at, sorted(gives), strict=True)]
        if not rising:
            knots = [(r, p) for (r, _), (_, p) in zip(knots, reversed(knots), strict=True)]
    else:
        knots = draw(st.lists(st.tuples(rates, points), min_size=size, max_size=size))
        if draw(st.booleans()):
            knots = sorted(knots)
    kind = draw(st.sampled_from(["linear", "step"]))
    return CurveDraft(interpolation=kind, knots=tuple(knots))


@st.composite
def drafts(draw: st.DrawFn, *, valid: bool = False) -> Draft:
    """Any draft; one that is a policy, where it must be valid."""
    reply = draw(curves(rising=True, valid=valid or draw(st.booleans())))
    bounce = draw(curves(rising=False, valid=valid or draw(st.booleans())))
    if valid or draw(st.booleans()):
        most = reply.most + bounce.most
        size = draw(st.integers(1, 5))
        edges = sorted({round(most * draw(st.integers(1, 100)) / 100, 6) for _ in range(size - 1)})
        edges = [0.0, *(edge for edge in edges if edge > 0)]
        bands = [BandDraft(name=f"Band {i}", lower=edge) for i, edge in enumerate(edges)]
    else:
        drawn = draw(st.lists(st.tuples(names, points), max_size=14))
        bands = [BandDraft(name=name, lower=lower) for name, lower in drawn]
    return Draft(
        name="ours" if valid else draw(names),
        version=draw(st.integers(1, 9)),
        source=draw(st.sampled_from(["", "We agreed.", 'a "quoted"\nsource\x7f'])),
        reply_points=reply,
        bounce_points=bounce,
        bands=tuple(bands),
    )


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    """Any trial."""
    return Trial(
        draft=draw(drafts()),
        start=draw(st.sampled_from(["hubspot-article", "mine.toml"])),
        against=draw(st.sampled_from(["hubspot-article", "mine.toml"])),
        weeks=draw(st.integers(0, 60)),
        chosen=draw(st.sampled_from(["", "7", "<b>"])),
    )
