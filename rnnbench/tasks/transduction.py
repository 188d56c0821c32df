"""Transduction: translate sentences between three languages of the project's own.

``_languages.py`` tells the languages, svo, sov and vso. For K objects (`length`) a sentence has 3 + K words in sov,
up to 3 + 2K in svo and up to 3 + 3K in vso, in three orders, and its subject is ambiguous in every other language
until its last word: whoever translates word by word cannot say it.

In ``generate`` a row is the source, a symbol that asks for the `target` language, then the target sentence and the
end symbol; ``pairs`` gives source and target apart. All pairs of languages share one alphabet, so that encoders of
`source` and decoders of `target` can be shared: train some pairs and test one that was never trained. A row is right
if the whole target sentence is.

Chance: the naive predictor knows what kind of word stands where, and guesses among the words of that kind. The sums,
with S stems, V verbs, N nouns, A adjectives (3, 6, 6, 3), each adjective there with probability A/(A + 1):

========  =============================================================  =========================
target    loss of a sentence                                             symbols
========  =============================================================  =========================
svo       ln 2S + ln V + ln 2 + K (ln N + A/(A + 1) ln A)                4 + K (1 + A/(A + 1))
sov       ln 2S + ln V + ln 2 + K ln N(A + 1)                            4 + K
vso       ln 2S + ln V + ln 2 + K (ln 2 + ln N + A/(A + 1) ln A)         4 + K (2 + A/(A + 1))
========  =============================================================  =========================

(The end symbol costs nothing.) The loss is the ratio of the two. It guesses the first word of each kind: subject,
verb and particle are right with probability 1/(2S V 2), an object with probability 1/N 2/(A + 1) in svo (no
adjective, or the right one), the same in vso (the article of the first noun is the first one), and 1/(N (A + 1)) in
sov.

Sources: the languages are this project's own. The task stands in for translation as in Sutskever, Vinyals and Le,
Sequence to Sequence Learning with Neural Networks, NIPS 2014; pairs that were never trained: Johnson et al., Google's
Multilingual Neural Machine Translation System: Enabling Zero-Shot Translation, TACL 2017.
"""

from math import log

import numpy as np

from rnnbench.tasks import _options
from rnnbench.tasks._answers import IMPOSSIBLE
from rnnbench.tasks._languages import (
    ADJECTIVES,
    ALPHABET,
    END,
    LANGUAGES,
    NOUNS,
    SIZES,
    STEMS,
    TO,
    VERBS,
    meanings,
    say,
)
from rnnbench.tasks._pairs import all_right, close_up, pair_and_stream, with_end
from rnnbench.tasks._task import Chance, Pair, Task

VARIANTS = {f"{a}_{b}": {"source": a, "target": b} for a in LANGUAGES for b in LANGUAGES if a != b}


def build(source="svo", target="sov"):
    """Build the task; see the module's docstring."""
    source = _options.one_of("source", source, LANGUAGES)
    target = _options.one_of("target", target, LANGUAGES)
    if source == target:
        raise ValueError(f"target: got {target!r}, expected another language than the source")

    def pairs(rng, size, length):
        meaning = meanings(rng, size, length)
        return Pair(*close_up(*say(source, *meaning)), *with_end(*close_up(*say(target, *meaning)), END))

    return Task(
        loss="softmax",
        symbols=True,
        inputs=len(ALPHABET),
        outputs=len(ALPHABET),
        length=3,
        shortest=1,
        naive=lambda batch: KINDS[batch.target],
        chance=lambda length: _chance(target, length),
        correct=all_right,
        criterion="The whole target sentence is right.",
        alphabet=ALPHABET,
        **pair_and_stream(pairs, end=TO[target]),
    )


def _kinds():
    """Logits by a word: 0 for all words of its kind."""
    sizes = [1] * (1 + len(LANGUAGES)) + [size for language in SIZES.values() for size in language.values()]
    kind = np.repeat(np.arange(len(sizes)), sizes)
    return np.where(kind[:, None] == kind, 0.0, IMPOSSIBLE)


KINDS = _kinds()


def _chance(target, objects):
    there = ADJECTIVES / (ADJECTIVES + 1)
    loss, symbols, right = {
        "svo": (log(NOUNS) + there * log(ADJECTIVES), 1 + there, 2 / NOUNS / (ADJECTIVES + 1)),
        "sov": (log(NOUNS * (ADJECTIVES + 1)), 1, 1 / NOUNS / (ADJECTIVES + 1)),
        "vso": (log(2 * NOUNS) + there * log(ADJECTIVES), 2 + there, 2 / NOUNS / (ADJECTIVES + 1)),
    }[target]
    frame = 2 * STEMS * VERBS * 2  # subject, verb, particle
    return Chance((log(frame) + objects * loss) / (4 + objects * symbols), right**objects / frame)
