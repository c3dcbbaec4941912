"""A draft is a value with its problems, a trial one with several ways to it; both can be undone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from senderscore_nb.errors import PolicyError, SenderScoreError
from senderscore_nb.explorer import Data
from senderscore_nb.lab import Draft, Model, ThresholdLab, Trial
from senderscore_nb.lab.problems import MOST_BANDS, MOST_CHARACTERS
from senderscore_nb.policy import ScoringPolicy, load_policy, parse_policy, preset_names
from senderscore_nb.widget.history import History
from tests.explorer_data import data_of, full, tallies
from tests.lab_drafts import drafts, trials


def is_policy(draft: Draft) -> bool:
    try:
        ScoringPolicy.model_validate(draft.model_dump(mode="json"))
    except ValidationError:
        return False
    return True


@given(drafts())
def test_a_draft_has_no_problem_exactly_if_it_is_a_policy(draft):
    assert (not draft.problems) == is_policy(draft)


@given(drafts(valid=True))
def test_a_valid_draft_reads_back_equal(draft):
    assert draft.problems == ()
    assert Draft.from_toml(draft.to_toml()) == draft
    assert Draft.of(draft.policy()) == draft
    assert parse_policy(draft.to_toml()) == draft.policy()
    assert Draft.parse(json.loads(draft.model_dump_json())) == draft


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_a_draft_without_problems(name):
    draft = Draft.of(load_policy(name))
    assert draft.problems == ()
    assert draft.policy() == load_policy(name)


@given(drafts())
def test_a_draft_with_problems_is_never_a_policy_and_says_the_first(draft):
    if draft.problems:
        with pytest.raises(PolicyError) as raised:
            draft.policy()
        assert draft.problems[0].words in str(raised.value)
        with pytest.raises(PolicyError):
            draft.to_toml()


@given(drafts())
def test_a_problem_is_where_something_is(draft):
    for problem in draft.problems:
        assert problem.words.endswith(".")
        assert problem.words[0].isupper()
        sizes = {
            "bands": len(draft.bands),
            "name": 1,
            "reply_points": len(draft.reply_points.knots),
            "bounce_points": len(draft.bounce_points.knots),
        }
        assert -1 <= problem.place < sizes[problem.part]
        assert (problem.place < 0) == (problem.field == "")


GOOD = Draft.of(load_policy())
BANDS = [band.model_dump() for band in GOOD.bands]
FLAT = {"knots": [[0, 10]]}


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"reply_points": {"knots": []}}, ("reply_points", -1, ""), "needs a knot"),
        (
            {"reply_points": {"knots": [[0, 0], [0.1, 60], [0.1, 60]]}},
            ("reply_points", 2, "rate"),
            "must be above that of knot 2, 10 %",
        ),
        (
            {"reply_points": {"knots": [[0, 50], [0.1, 49]]}},
            ("reply_points", 1, "points"),
            "must not fall as replies rise: knot 1 has 50",
        ),
        (
            {"bounce_points": {"knots": [[0, 49], [0.1, 50]]}},
            ("bounce_points", 1, "points"),
            "must not rise as bounces rise",
        ),
        ({"reply_points": {"knots": [[1.2, 50]]}}, ("reply_points", 0, "rate"), "0 and 100 %"),
        ({"bounce_points": {"knots": [[0, 60], [1, -1]]}}, ("bounce_points", 1, "points"), "negat"),
        ({"bands": []}, ("bands", -1, ""), "needs a band"),
        ({"bands": [{"name": "a", "lower": 1}]}, ("bands", 0, "lower"), "starts at 0"),
        ({"bands": [*BANDS[:2], {**BANDS[2], "lower": 40}]}, ("bands", 2, "lower"), "band 2, 40"),
        ({"bands": [BANDS[0], {"name": "x", "lower": 101}]}, ("bands", 1, "lower"), "score, 100"),
        ({"bands": [BANDS[0], {"name": "LOW", "lower": 9}]}, ("bands", 1, "name"), "Band 1 has"),
        ({"bands": [{"name": " ", "lower": 0}]}, ("bands", 0, "name"), "A name is needed"),
        ({"name": "x" * (MOST_CHARACTERS + 1)}, ("name", 0, "name"), "at most 80"),
    ],
)
def test_what_is_wrong_is_named_where_it_is(changes, where, says):
    (problem,) = GOOD.updated(**changes).problems
    assert (problem.part, problem.place, problem.field) == where
    assert says in problem.words


def test_too_many_bands_is_one_problem():
    many = [{"name": f"b{i}", "lower": i} for i in range(MOST_BANDS + 1)]
    (problem,) = GOOD.updated(bands=many).problems
    assert (problem.part, problem.place) == ("bands", -1)
    assert not GOOD.updated(bands=many[:-1]).problems


@given(trials(), trials())
def test_updating_to_a_trial_equals_creating_it(before, after):
    values = after.to_parameters()
    assert before.updated(**values) == Trial.create(**values) == after
    flat = {**values.pop("draft"), **values}
    assert before.updated(**flat) == Trial.create(**flat) == after
    assert before.updated() == before
    assert Trial.parse(json.loads(json.dumps(values | flat))) == after


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"band": []}, "band: this key is unknown. Did you mean 'bands'"),
        ({"weeks": -1}, "weeks: "),
        ({"reply_points": {"knots": [[0, "many"]]}}, "reply_points.knots.0.1"),
        ({"reply_points": {"knots": [[0, float("nan")]]}}, "reply_points.knots.0.1"),
        ({"reply_points": {"interpolation": "cubic", "knots": []}}, "interpolation"),
        ({"bands": [{"name": "a", "lower": 1e300}]}, "bands.0.lower"),
        ({"minimum": {"user": 0}}, "minimum.user"),
        ({"draft": 7, "weeks": "x"}, "weeks"),
    ],
)
def test_what_is_not_even_a_draft_is_refused_in_words(values, says):
    with pytest.raises(PolicyError, match="draft: ") as raised:
        Trial.create(**values)
    assert says in str(raised.value)


@given(st.lists(trials(), min_size=1, max_size=6))
def test_a_history_of_any_values_goes_back_and_forth(values):
    history = History(Trial.create())
    shown = [history.now]
    for value in values:
        history.show(value)
        if value != shown[-1]:
            shown.append(value)
    assert [history.undo() for _ in shown[1:]] == shown[-2::-1]
    assert not history.can_undo
    assert [history.redo() for _ in shown[1:]] == shown[1:]
    assert not history.can_redo


@given(tallies(), st.lists(drafts(), min_size=1, max_size=5))
def test_undo_and_redo_are_inverse_and_only_policies_are_scored(frame, steps):
    model = Model(data_of(frame))
    shown = [model.draft]
    for draft in steps:
        model.update(draft.model_dump(mode="json"))
        if draft != shown[-1]:
            shown.append(draft)
        assert not model.scored.draft.problems
        assert (model.scored.draft == draft) == (not draft.problems)
    for draft in reversed(shown[:-1]):
        assert model.undo().draft == draft
    assert not model.can_undo
    for draft in shown[1:]:
        assert model.redo().draft == draft
    assert model.reset().draft == shown[0]


def test_a_stroke_is_undone_as_one():
    model = Model(data_of(full()))
    for n in range(5):
        model.update({"reply_points": {"knots": [[0, n]]}}, stroke="drag-1")
    model.update({"weeks": 2})
    model.update({"reply_points": {"knots": [[0, 9]]}}, stroke="drag-2")
    assert model.undo().draft.reply_points.knots == ((0, 4),)
    assert model.undo().weeks == 12
    assert model.undo().draft == GOOD


def test_a_mistake_leaves_the_trial_and_stands_beside_it():
    model = Model(data_of(full()))
    before = model.trial
    for request, says in (
        ({"do": "update", "changes": {"weeks": -3}}, "weeks"),
        ({"do": "update", "changes": {"against": "none"}}, "There is no policy 'none'"),
        ({"do": "update"}, "without values"),
        ({"do": "begin", "name": "nothing.toml"}, "nothing.toml"),
        ({"do": "fly"}, "cannot do 'fly'"),
    ):
        frame = model.answer(request)
        assert says in frame.values["error"]
        assert model.trial == before
        assert frame.values["trial"] == before.to_parameters()
    assert not model.can_undo
    with pytest.raises(SenderScoreError):
        model.update({"against": "none"})


def test_a_policy_that_goes_away_does_not_take_the_lab_with_it(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(load_policy().model_copy(update={"name": "mine"}).to_toml())
    model = Model(data_of(full()))
    model.update({"against": str(file)})
    file.unlink()
    frame = model.answer({"do": "update", "changes": {"weeks": 2}})
    assert "mine.toml" in frame.values["error"]
    assert model.trial.against == "hubspot-article"
    lonely = Model(data_of(full()), Trial.create(start=str(file)))
    assert lonely.answer({"do": "draw"}).values["changed"] is True


def test_it_begins_with_a_preset_a_file_a_policy_or_a_draft(tmp_path):
    data = data_of(full())
    own = load_policy().model_copy(update={"name": "own", "version": 3})
    file = tmp_path / "own.toml"
    file.write_text(own.to_toml())
    for given_, start in ((str(file), str(file)), (own, "own"), ("hubspot-article",) * 2):
        lab = ThresholdLab(data, given_)
        assert lab.trial.start == start
        assert lab.policy == (own if start != "hubspot-article" else load_policy())
    edited = own.model_copy(update={"name": "hubspot-article"})
    lab = ThresholdLab(data, edited, against=own)
    assert lab.policy == edited
    assert lab.data.policy(lab.trial.start) == edited
    assert lab.data.policy(lab.trial.against) == own
    broken = GOOD.updated(bands=[])
    lab = ThresholdLab(data, broken)
    assert lab.draft == broken
    assert lab.model.scored.draft == GOOD
    with pytest.raises(PolicyError, match="needs a band"):
        _ = lab.policy
    assert lab.begin(str(file)).policy == own
    assert lab.undo().draft == broken
    with pytest.raises(SenderScoreError, match="There is no policy 'nope'"):
        ThresholdLab(data, "nope")


def test_a_trial_of_an_account_without_enrollments_at_hand_says_so():
    data = Data.of_tallies(full())
    recounted = load_policy().model_dump(mode="json")
    recounted["counting"]["date_basis"] = "enrolled_on"
    with pytest.raises(SenderScoreError, match="counted under other rules"):
        ThresholdLab(data, Draft.parse(recounted))
