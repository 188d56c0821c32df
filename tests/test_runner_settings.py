"""Settings, --set, the stable hash and the seed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnbench.runner.errors import UserError
from rnnbench.runner.settings import (
    RESERVED,
    canonical,
    check_override_names,
    check_setting,
    generator,
    override,
    parse_overrides,
    parse_value,
    trial_key,
)

scalars = st.one_of(
    st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()
)
SWEEP = [{"rho": 0.5, "n": 1}, {"rho": 0.9, "n": 1}, {"rho": 0.5, "n": 2}]


def test_the_key_and_the_numbers_of_a_trial_never_change():
    # Stored results are named and seeded by these: a change here orphans every result there is.
    setting = {"cell": "lstm", "rho": 0.9, "n": 3, "on": True, "none": None}
    assert trial_key("decay", setting, 0, "cpu") == "6f65d6ee2e78709a"
    assert generator("decay", setting, 0).integers(2**63) == 5711288006269041089


@given(st.dictionaries(st.text(min_size=1), scalars, max_size=5))
def test_the_order_of_a_setting_does_not_matter(setting):
    turned = dict(reversed(setting.items()))
    assert trial_key("e", setting, 0, "cpu") == trial_key("e", turned, 0, "cpu")
    assert generator("e", setting, 0).integers(2**63) == generator("e", turned, 0).integers(2**63)


def test_everything_that_names_a_trial_changes_its_key():
    others = [
        trial_key("e", {"a": 1}, 0, "cpu"),
        trial_key("f", {"a": 1}, 0, "cpu"),
        trial_key("e", {"a": 2}, 0, "cpu"),
        trial_key("e", {"a": 1.0}, 0, "cpu"),
        trial_key("e", {"a": True}, 0, "cpu"),
        trial_key("e", {"a": "1"}, 0, "cpu"),
        trial_key("e", {"a": 1}, 1, "cpu"),
        trial_key("e", {"a": 1}, 0, "cuda"),
    ]
    assert len(set(others)) == len(others)


def test_the_random_numbers_depend_on_root_seed_experiment_and_setting():
    draws = [
        generator(*what).integers(2**63) for what in [("e", {}, 0), ("e", {}, 1), ("f", {}, 0), ("e", {"a": 1}, 0)]
    ]
    assert len(set(draws)) == 4


@pytest.mark.parametrize(
    "setting",
    [
        [1],
        {"seed": 1},
        {1: 2},
        {"": 1},
        {"a": [1]},
        {"a": math.nan},
        {"a": math.inf},
        {"a": {"b": 1}},
        *({n: 1} for n in RESERVED),
    ],
)
def test_a_bad_setting_is_refused(setting):
    with pytest.raises(UserError, match="experiment 'e'"):
        check_setting(setting, "e")


@pytest.mark.parametrize(
    ("text", "types", "value"),
    [
        ("1", {int}, 1),
        ("1", {float}, 1.0),
        ("1", {int, float}, 1),
        ("1.5", {int, float}, 1.5),
        ("1e-3", {float}, 1e-3),
        ("1", {str}, "1"),
        ("True", {bool}, True),
        ("none", {type(None), float}, None),
        ("none", {str}, "none"),
        ("2", {type(None), int}, 2),
        ("tanh", {type(None), str}, "tanh"),
    ],
)
def test_a_value_gets_the_type_that_the_sweep_uses(text, types, value):
    parsed = parse_value("a", text, types)
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "types"), [("x", {int}), ("1.5", {int}), ("nan", {float}), ("1", {bool}), ("", {int})]
)
def test_a_value_of_another_type_is_refused(text, types):
    with pytest.raises(UserError, match="--set a: got"):
        parse_value("a", text, types)


@pytest.mark.parametrize("text", ["rho", "=1", "rho=", "rho=1,,2", ""])
def test_a_malformed_set_is_refused(text):
    with pytest.raises(UserError, match="--set got"):
        parse_overrides([text])


def test_a_name_set_twice_is_refused():
    with pytest.raises(UserError, match="twice"):
        parse_overrides(["a=1", "a=2"])


def test_set_gives_the_product_without_doubles():
    changed = override(SWEEP, {"rho": ["0.1", "0.2"]})
    assert changed == [{"rho": r, "n": n} for n in (1, 2) for r in (0.1, 0.2)]
    assert override(SWEEP, {"rho": ["0.1"], "n": ["7"]}) == [{"rho": 0.1, "n": 7}]
    assert override(SWEEP, {}) == SWEEP
    assert override([{"a": 1}], {"b": ["2"]}) == [{"a": 1}]


def test_set_picks_what_the_sweep_holds():
    sweep = [{"cell": "a", "n": 1}, {"cell": "a", "n": 2}, {"cell": "b", "n": 1, "only_b": "x"}]
    assert override(sweep, {"cell": ["a"]}) == sweep[:2]
    assert override(sweep, {"cell": ["b", "a"], "n": ["1"]}) == [sweep[0], sweep[2]]
    assert override(sweep, {"cell": ["b"], "n": ["7"]}) == [{"cell": "b", "n": 7, "only_b": "x"}]
    assert override(sweep, {"cell": ["b"], "n": ["2"]}) == [{"cell": "b", "n": 2, "only_b": "x"}]
    assert override(sweep, {"n": ["2"], "cell": ["b"]}) == [{"cell": "b", "n": 2}]
    assert override(sweep, {"only_b": ["x"]}) == [sweep[2]]


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(UserError, match="did you mean 'rho'"):
        check_override_names({"roh": ["1"]}, [SWEEP])


def test_canonical_json_knows_no_nan():
    with pytest.raises(ValueError, match="JSON"):
        canonical(math.nan)
