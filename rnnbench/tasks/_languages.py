"""Three small languages that say the same things with other words, in another order, in sentences of other lengths.

A meaning is a concept that acts, a verb, and objects, each with an adjective or none. Every language has words of its
own (``WORDS`` tells which symbols):

========  ===============================================================
language  sentence
========  ===============================================================
svo       subject verb ([adjective] noun)... particle
sov       subject (noun-with-adjective)..., the last one first, verb particle
vso       verb subject (article noun [adjective])... particle
========  ===============================================================

The article agrees with its noun (even or odd). A concept is a word stem with two bits. Of these, the subject tells
one and the particle, the last word of the sentence, the other: in svo the second bit and the first, in sov the first
and the second, in vso whether they differ, and the first. So no language's subject can be said before the sentence in
another language is over.
"""

from __future__ import annotations

import numpy as np

STEMS, VERBS, NOUNS, ADJECTIVES = 3, 6, 6, 3
SIZES = {
    "svo": {"subject": 2 * STEMS, "verb": VERBS, "noun": NOUNS, "adjective": ADJECTIVES, "particle": 2},
    "sov": {"subject": 2 * STEMS, "verb": VERBS, "noun": NOUNS * (ADJECTIVES + 1), "particle": 2},
    "vso": {
        "subject": 2 * STEMS,
        "verb": VERBS,
        "article": 2,
        "noun": NOUNS,
        "adjective": ADJECTIVES,
        "particle": 2,
    },
}
LANGUAGES = tuple(SIZES)
END = 0
TO = {language: n for n, language in enumerate(LANGUAGES, 1)}  # "and now in this language"

ALPHABET = (
    "end",
    *(f"to {language}" for language in LANGUAGES),
    *(
        f"{language} {kind} {n}"
        for language in LANGUAGES
        for kind, size in SIZES[language].items()
        for n in range(size)
    ),
)
WORDS = {
    language: {kind: ALPHABET.index(f"{language} {kind} 0") for kind in sizes} for language, sizes in SIZES.items()
}


def meanings(rng, size, objects):
    """Draw meanings: concept and verb (B,), nouns and adjectives (objects, B); adjective 0 is none."""
    return (
        rng.integers(0, 4 * STEMS, size),
        rng.integers(0, VERBS, size),
        rng.integers(0, NOUNS, (objects, size)),
        rng.integers(0, ADJECTIVES, (objects, size), endpoint=True),
    )


def say(language, concept, verb, nouns, adjectives):
    """Return sentences as a (slots, B) grid of symbols, and which slots are filled."""
    first = WORDS[language]
    stem, high, low = concept >> 2, concept >> 1 & 1, concept & 1
    told, left = {"svo": (high, low), "sov": (low, high), "vso": (high ^ low, low)}[language]
    subject = first["subject"] + 2 * stem + told
    verb = first["verb"] + verb
    particle = first["particle"] + left
    if language == "sov":
        compounds = first["noun"] + (ADJECTIVES + 1) * nouns + adjectives
        grid = np.concatenate([[subject], compounds[::-1], [verb, particle]])
        return grid, np.ones(grid.shape, bool)
    noun, adjective = first["noun"] + nouns, first["adjective"] + adjectives - 1
    if language == "svo":
        phrase = np.stack([adjective, noun], axis=1)
        filled = np.stack([adjectives > 0, np.ones(nouns.shape, bool)], axis=1)
        opening = subject, verb
    else:
        phrase = np.stack([first["article"] + nouns % 2, noun, adjective], axis=1)
        filled = np.stack([np.ones(nouns.shape, bool)] * 2 + [adjectives > 0], axis=1)
        opening = verb, subject
    slots = phrase.shape[0] * phrase.shape[1]
    always = np.ones((1, len(verb)), bool)
    return (
        np.concatenate([opening, phrase.reshape(slots, -1), [particle]]),
        np.concatenate([always, always, filled.reshape(slots, -1), always]),
    )
