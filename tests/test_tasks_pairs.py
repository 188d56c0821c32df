"""Sequence-to-sequence tasks: pairs and streams, translations, programs against Python, curricula."""

import math
from collections import defaultdict
from itertools import product

import naive_tasks_language as oracles
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from rnnbench import tasks
from rnnbench.tasks import _curriculum, _programs

SEQ2SEQ = [
    (name, variant)
    for name in tasks.names()
    for variant in tasks.variants(name)
    if tasks.get(name, variant).pairs is not None
]
KINDS = {
    "addition": "+",
    "subtraction": "-",
    "multiplication": "*",
    "assignment": "=",
    "condition": "if",
    "loop": "for x in range",
}


def rows(sequences, lengths):
    return [sequences[:n, row].tolist() for row, n in enumerate(lengths)]


def texts(task, size, length, seed=0):
    """Programs and answers."""
    pair = task.pairs(np.random.default_rng(seed), size, length)
    decoded = (rows(pair.source, pair.source_lengths), rows(pair.target, pair.target_lengths))
    return [
        tuple("".join(task.alphabet[s] for s in symbols) for symbols in both) for both in zip(*decoded, strict=True)
    ]


def test_these_come_in_pairs():
    assert {name for name, _ in SEQ2SEQ} == {"memorization", "transduction", "learning_to_execute"}


@pytest.mark.parametrize(("name", "variant"), SEQ2SEQ)
def test_bad_pairs_are_refused(name, variant):
    task, rng = tasks.get(name, variant), np.random.default_rng(0)
    for size in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match="size: got"):
            task.pairs(rng, size, 3)
    for length in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match=f"length of task '{name}': got"):
            task.pairs(rng, 2, length)
    with pytest.raises(TypeError, match="rng: got"):
        task.pairs(0, 2, 3)


@pytest.mark.parametrize(("name", "variant"), SEQ2SEQ)
@given(data=st.data())
def test_a_stream_is_its_pair(name, variant, data):
    task = tasks.get(name, variant)
    size, length = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 12))
    seed = data.draw(st.integers(0, 2**32))
    pair = task.pairs(np.random.default_rng(seed), size, length)
    batch = task.batch(np.random.default_rng(seed), size, length)
    for sequences, lengths in ((pair.source, pair.source_lengths), (pair.target, pair.target_lengths)):
        assert sequences.dtype == lengths.dtype == np.int64
        assert sequences.shape == (lengths.max(), size) and lengths.shape == (size,) and lengths.min() >= 1
        assert not sequences[np.arange(len(sequences))[:, None] >= lengths].any()
    begins = {batch.x[n, row] for row, n in enumerate(pair.source_lengths)}
    ends = {pair.target[n - 1, row] for row, n in enumerate(pair.target_lengths)}
    assert len(begins) == len(ends) == 1
    streams = rows(batch.x, batch.lengths)
    said = [batch.target[batch.mask[:, row], row].tolist() for row in range(size)]
    for row, (source, target) in enumerate(
        zip(rows(pair.source, pair.source_lengths), rows(pair.target, pair.target_lengths), strict=True)
    ):
        assert streams[row] == [*source, *begins, *target[:-1]]
        assert said[row] == target
        assert batch.mask[len(source) : len(source) + len(target), row].all()


def test_memorization_is_reversed_and_doubled():
    def sources(variant):
        task = tasks.get("memorization", variant, curriculum="mix")
        pair = task.pairs(np.random.default_rng(1), 50, 9)
        return rows(pair.source, pair.source_lengths), rows(pair.target, pair.target_lengths)

    plain, target = sources("plain")
    assert {len(row) for row in plain} == set(range(1, 10))
    assert [row[:-1] for row in target] == plain
    for variant, change in {
        "reversed": lambda row: row[::-1],
        "doubled": lambda row: row + row,
        "both": lambda row: row[::-1] + row[::-1],
    }.items():
        assert sources(variant) == ([change(row) for row in plain], target)


def sentences(source, target, size=400, length=2):
    pair = tasks.get("transduction", source=source, target=target).pairs(np.random.default_rng(2), size, length)
    return rows(pair.source, pair.source_lengths), [row[:-1] for row in rows(pair.target, pair.target_lengths)]


def test_three_languages_say_the_same():
    """So a pair that was never trained has right answers too."""
    svo, sov = sentences("svo", "sov")
    again, vso = sentences("sov", "vso")
    assert again == sov and sentences("vso", "svo") == (vso, svo)
    assert [len(row) for row in sov] == [5] * 400
    assert {len(row) for row in svo} == {5, 6, 7} and {len(row) for row in vso} == {7, 8, 9}


@pytest.mark.parametrize(("source", "target"), [(a, b) for a in oracles.LANGUAGES for b in oracles.LANGUAGES if a != b])
def test_only_the_end_of_a_sentence_tells_its_subject(source, target):
    place = {"svo": 0, "sov": 0, "vso": 1}
    subjects = defaultdict(dict)
    for said, heard in zip(*sentences(source, target, size=3000), strict=True):
        subjects[said[place[source]]].setdefault(said[-1], set()).add(heard[place[target]])
    assert len(subjects) == 6
    for by_particle in subjects.values():
        one, other = by_particle.values()
        assert len(one) == len(other) == 1 and one != other


@pytest.mark.parametrize("target", oracles.LANGUAGES)
@pytest.mark.parametrize("length", [1, 2])
def test_chance_of_a_translation_counted_from_all_meanings(target, length):
    """The guess: the first word of every kind. The loss: every word of its kind alike."""
    first = {symbol: kind for kind, symbol in oracles.LANGUAGES[target].items()}
    after = [*sorted(first), {"svo": 27, "sov": 65, "vso": 90}[target]]
    sizes = dict(zip(after, np.diff(after), strict=False))
    phrases = list(product(range(6), [None, 0, 1, 2]))
    right, nats, symbols = [], 0.0, 0
    for stem, high, low, verb, *objects in product(range(3), (0, 1), (0, 1), range(6), *[phrases] * length):
        words = oracles.express((stem, high, low, verb, objects), target)[:-1]
        right.append(all(word in first for word in words))
        nats += sum(math.log(sizes[max(symbol for symbol in first if symbol <= word)]) for word in words)
        symbols += len(words) + 1
    source = "svo" if target != "svo" else "sov"
    chance = tasks.get("transduction", source=source, target=target).chance(length)
    assert_allclose((chance.loss, chance.success), (nats / symbols, np.mean(right)), rtol=1e-10)


@pytest.mark.parametrize("nesting", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [1, 4, "longest"])
def test_programs_print_what_python_prints(nesting, length):
    task = tasks.get("learning_to_execute", nesting=nesting)
    for program, answer in texts(task, 300, task.longest if length == "longest" else length):
        assert oracles.run(program) + "." == answer


def test_ten_statements_and_no_more():
    task = tasks.get("learning_to_execute", nesting=10)
    for program, answer in texts(task, 100, task.longest):
        assert oracles.run(program) + "." == answer
    with pytest.raises(ValueError, match="nesting: got 11, expected at most 10"):
        tasks.get("learning_to_execute", nesting=11)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_program(kind):
    task = tasks.get("learning_to_execute", kinds=(kind,), nesting=1)
    programs = texts(task, 200, 3)
    for program, answer in programs:
        assert KINDS[kind] in program and oracles.run(program) + "." == answer
        others = (
            set(KINDS)
            - {kind}
            - ({"addition", "subtraction", "assignment"} if kind in ("assignment", "loop") else set())
        )
        assert not any(KINDS[other] in program for other in others)
    negative = any(answer.startswith("-") for _, answer in programs)
    assert negative == (kind in ("subtraction", "assignment", "loop"))


def test_all_kinds_are_as_frequent():
    programs = texts(tasks.get("learning_to_execute", nesting=1), 12_000, 9)
    loops = sum("for" in program for program, _ in programs)
    conditions = sum("if" in program for program, _ in programs)
    error = 5 * math.sqrt(12_000 * 5 / 36)
    assert_allclose((loops, conditions), 2000, atol=error)


def test_numbers_have_up_to_as_many_digits_as_said():
    task = tasks.get("learning_to_execute", "addition")
    numbers = [int(n) for program, _ in texts(task, 20_000, 1) for n in program[len("print((") : -2].split("+")]
    shares = np.bincount(numbers, minlength=11) / len(numbers)
    assert_allclose(shares[0], 0)
    assert_allclose(shares[1:], 0.1, atol=5 * math.sqrt(0.09 / len(numbers)))


def test_scrambled_is_a_fixed_exchange_of_characters():
    plain, scrambled = (tasks.get("learning_to_execute", scrambled=s) for s in (False, True))
    keys = set()
    for seed in (1, 2, 3):
        one, two = (task.batch(np.random.default_rng(seed), 100) for task in (plain, scrambled))
        assert_array_equal(one.mask, two.mask)
        inside = np.arange(len(one.x))[:, None] < one.lengths
        keys |= {
            *zip(one.x[inside], two.x[inside], strict=True),
            *zip(one.target[one.mask], two.target[one.mask], strict=True),
        }
    there, here = zip(*sorted(keys), strict=True)
    assert there == tuple(range(len(plain.alphabet))) and sorted(here) == list(there)
    assert here[0] == 0 and sum(a == b for a, b in keys) < 5


def test_bad_programs_are_refused():
    for kinds in ((), ("addition", "division"), "addition", (1,)):
        with pytest.raises(ValueError, match=r"kinds: got .* expected some of addition"):
            tasks.get("learning_to_execute", kinds=kinds)
    for difficulty in ((1,), (1, 0), (1, 2, 3), 3):
        with pytest.raises(ValueError, match="difficulty: got"):
            tasks.get("learning_to_execute", difficulty=difficulty)
    with pytest.raises(ValueError, match="target: got 'svo', expected another"):
        tasks.get("transduction", source="svo", target="svo")


def test_the_longest_program_fits_into_64_bits():
    for nesting in range(1, 11):
        longest = tasks.get("learning_to_execute", nesting=nesting).longest
        assert _programs.largest(longest, nesting) < 2**63 <= _programs.largest(longest + 1, nesting)


@pytest.mark.parametrize("curriculum", _curriculum.CURRICULA)
def test_difficulties(curriculum):
    lengths, nestings = _curriculum.draw(np.random.default_rng(3), 20_000, curriculum, (5, 1), (4, 3))
    for drawn, reached, target in ((lengths, 5, 4), (nestings, 1, 3)):
        values, probabilities = _curriculum.distribution(curriculum, reached, target)
        shares = np.bincount(drawn, minlength=target + 1) / 20_000
        assert shares[0] == 0
        assert_allclose(shares[values], probabilities, atol=5 * math.sqrt(0.25 / 20_000))
    expected = {"baseline": {(4, 3)}, "naive": {(4, 1)}}.get(curriculum)
    both = set(zip(lengths.tolist(), nestings.tolist(), strict=True))
    assert both == expected if expected else len(both) == 12
    if curriculum == "combined":  # one in five is mixed, in both axes at once
        assert_allclose(np.mean((lengths == 4) & (nestings == 1)), 0.8 + 0.2 / 12, atol=5 * math.sqrt(0.25 / 20_000))


def test_harder_and_harder():
    reached, steps = (1, 1), []
    while reached != (3, 2):
        reached = _curriculum.harder(reached, (3, 2))
        steps.append(reached)
    assert steps == [(2, 1), (3, 1), (1, 2), (2, 2), (3, 2)]
    assert _curriculum.harder((3, 2), (3, 2)) == (3, 2)


@pytest.mark.parametrize("curriculum", _curriculum.CURRICULA)
def test_programs_of_a_curriculum(curriculum):
    task = tasks.get("learning_to_execute", nesting=3, curriculum=curriculum, difficulty=(2, 1), kinds=("addition",))
    programs = texts(task, 300, 5)
    for program, answer in programs:
        assert oracles.run(program) + "." == answer
    statements = {program.count("+") for program, _ in programs}
    assert statements == {"baseline": {3}, "naive": {1}}.get(curriculum, {1, 2, 3})
    digits = max(
        len(n) for program, _ in programs for n in program.strip("print()").replace("(", "").replace(")", "").split("+")
    )
    assert digits <= 3 if curriculum == "naive" else digits >= 4
