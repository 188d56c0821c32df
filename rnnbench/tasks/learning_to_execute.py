"""Learning to execute: read a small program, character by character, and write what it prints.

The programs are Python; ``_programs.py`` tells their six kinds of statement. The numbers in them are uniform on 1
... 10^`length`; `nesting` is the number of statements, each working on the result of the one before. The dot ends the
program and the answer, whose characters are digits and perhaps a minus. In ``generate`` a row is the program, a dot,
and the answer; ``pairs`` gives program and answer apart. The alphabet is that of all programs, sorted.

A row is right if the whole answer is (the paper counts characters, each after a correct beginning). The variant
"addition" is the paper's second task, two numbers and a plus. With `scrambled` every character but the line break
stands for another one, always the same, as in the paper's figure: a human reader is lost, and a network, to which
characters are numbers, must do as well as before.

Chance: the naive predictor gives the ten digits, minus and dot the same probability: ln 12 a prediction. No single
symbol said throughout is ever right: an answer has a digit and then a dot.

Options: `nesting`, `kinds` (some of "addition", "subtraction", "multiplication", "assignment", "condition", "loop"),
`scrambled`, `curriculum` ("baseline", "naive", "mix", "combined", see ``_curriculum.py``; what is judged should be of
the baseline) and `difficulty`, the (length, nesting) that naive and combined have reached: raised by
``_curriculum.harder(reached, target)``.

Sources: Zaremba and Sutskever, Learning to Execute, arXiv 1410.4615 (2014), and the authors' code.
"""

import math

import numpy as np

from rnnbench.tasks import _curriculum, _options, _programs
from rnnbench.tasks._answers import IMPOSSIBLE
from rnnbench.tasks._pairs import all_right, pair_and_stream, with_end
from rnnbench.tasks._task import Chance, Pair, Task

VARIANTS = {
    "zaremba_14": {},
    "addition": {"kinds": ("addition",), "nesting": 1},
    "scrambled": {"scrambled": True},
}
ANSWERS = "-.0123456789"


def build(nesting=2, kinds=tuple(_programs.KINDS), scrambled=False, curriculum="baseline", difficulty=(1, 1)):
    """Build the task; see the module's docstring."""
    nesting = _options.integer("nesting", nesting, 1)
    longest = _longest(nesting)
    kinds = _some_kinds(kinds)
    symbols = _symbols(_options.flag("scrambled", scrambled))
    curriculum = _options.one_of("curriculum", curriculum, _curriculum.CURRICULA)
    difficulty = _two_integers(difficulty)
    end = int(symbols[ord(".")])
    logits = np.full(len(_programs.CHARACTERS), IMPOSSIBLE)
    logits[symbols[[ord(c) for c in ANSWERS]]] = 0

    def pairs(rng, size, length):
        lengths, nestings = _curriculum.draw(rng, size, curriculum, difficulty, (length, nesting))
        programs, answers = _programs.draw(rng, lengths, nestings, kinds)
        source = _programs.encode(programs, symbols)
        return Pair(*source, *with_end(*_programs.encode(answers, symbols), end))

    return Task(
        loss="softmax",
        symbols=True,
        inputs=len(logits),
        outputs=len(logits),
        length=min(4, longest),
        shortest=1,
        longest=longest,
        naive=lambda batch: np.broadcast_to(logits, (*batch.mask.shape, len(logits))),
        chance=lambda length: Chance(math.log(len(ANSWERS)), 0.0),
        correct=all_right,
        criterion="The whole answer is right (the paper counts characters).",
        alphabet=tuple(_programs.CHARACTERS),
        **pair_and_stream(pairs, end),
    )


def _symbols(scrambled):
    """The symbol of every code point; 0 for those that no program has."""
    characters = np.array(list(_programs.CHARACTERS))
    numbers = np.arange(len(characters))
    if scrambled:
        numbers[characters != "\n"] = np.random.default_rng(0).permutation(numbers[characters != "\n"])
    table = np.zeros(128, np.int64)
    table[characters.view(np.uint32)] = numbers
    return table


def _longest(nesting):
    """The most digits with which all values fit into 64 bits."""
    if nesting > len(_programs.NAMES) or _programs.largest(1, nesting) >= 2**63:
        raise ValueError(f"nesting: got {nesting!r}, expected at most {len(_programs.NAMES)}")
    return max(length for length in range(1, 19) if _programs.largest(length, nesting) < 2**63)


def _some_kinds(kinds):
    known = tuple(_programs.KINDS)
    if not isinstance(kinds, tuple | list) or not kinds or any(kind not in known for kind in kinds):
        raise ValueError(f"kinds: got {kinds!r}, expected some of {', '.join(known)}")
    return tuple(kinds)


def _two_integers(difficulty):
    if not isinstance(difficulty, tuple | list) or len(difficulty) != 2:
        raise ValueError(f"difficulty: got {difficulty!r}, expected a pair (length, nesting)")
    return tuple(_options.integer("difficulty", value, 1) for value in difficulty)
