"""Each language task solved from one sequence by a plain loop: oracles that share nothing with rnnbench/tasks.

An oracle has the name of its task and takes one row of x as a list of symbols (the padding cut off) and the options
that its variant sets. It returns {step: answer} for exactly the scored steps: a class (softmax), a list of booleans
(logistic), or, where chance decides between several classes, the set of them.
"""

import io
import itertools
from contextlib import redirect_stdout

import numpy as np

BEST = {}


def memorization(x, reverse=False, double=False):
    end = x.index(10)
    source = x[:end]
    if double:
        half = end // 2
        assert source[:half] == source[half:]
        source = source[:half]
    if reverse:
        source = source[::-1]
    return dict(enumerate([*source, 10], end))


REBER = "0B1 1T2 1P3 2S2 2X4 3T3 3V5 4X3 4S6 5P4 5V6 6E7"


def reber_next(text):
    """The letters that may follow a part of a Reber string, "" after a whole one."""
    states = {"0"}
    for letter in text:
        states = {arrow[2] for arrow in REBER.split() if arrow[0] in states and arrow[1] == letter}
        assert states, f"{text} is no Reber string"
    return "".join(arrow[1] for arrow in REBER.split() if arrow[0] in states)


def embedded_next(text):
    """The same of embedded Reber strings."""
    if len(text) < 2:
        return ("B", "TP")[len(text)]
    inner, ending, rest = text[2:].partition("E")
    if not ending:
        return reber_next(inner)
    assert not rest or (rest[0] == text[1] and rest[1:] in ("", "E"))
    return (text[1], "E", "")[len(rest)]


def next_symbols(x, follow):
    answers, text = {}, ""
    for step, symbol in enumerate(x):
        text += "BTPSXVE"[symbol]
        if not follow(text):
            text = ""
        answers[step] = {"BTPSXVE".index(letter) for letter in follow(text)}
    return answers


def reber(x):
    return next_symbols(x, reber_next)


def embedded_reber(x):
    return next_symbols(x, embedded_next)


continual_reber = embedded_reber


def counted(x, letters, least=1):
    n = x.count(1)
    word = [0] + [letter for letter in range(1, letters + 1) for _ in range(n)]
    assert x == word and n >= least
    answers = {}
    for step, following in enumerate([*word[1:], 0]):
        allowed = {1, 2} if x[step] == 1 else {following}
        answers[step] = [symbol in allowed for symbol in range(letters + 1)]
    return answers


def anbn(x, **options):
    return counted(x, 2, **options)


def anbncn(x, **options):
    return counted(x, 3, **options)


def dyck(x, kinds):
    open_ones, answers = [], {}
    for step, bracket in enumerate(x):
        if bracket < kinds:
            open_ones.append(bracket)
        else:
            assert open_ones.pop() == bracket - kinds
        answers[step] = [True] * kinds + [bool(open_ones) and open_ones[-1] == kind for kind in range(kinds)]
    assert not open_ones
    return answers


# the first symbol of each kind of word
SVO = {"subject": 4, "verb": 10, "noun": 16, "adjective": 22, "particle": 25}
SOV = {"subject": 27, "verb": 33, "noun": 39, "particle": 63}
VSO = {"subject": 65, "verb": 71, "article": 77, "noun": 79, "adjective": 85, "particle": 88}
LANGUAGES = {"svo": SVO, "sov": SOV, "vso": VSO}


def understand(words, language):
    """Stem, first bit, second bit, verb, and [(noun, adjective or None)] of a sentence."""
    kinds = LANGUAGES[language]
    named = [max((start, kind) for kind, start in kinds.items() if start <= word)[::-1] for word in words]
    named = [(kind, word - start) for (kind, start), word in zip(named, words, strict=True)]
    order = {"svo": ["subject", "verb"], "sov": ["subject"], "vso": ["verb", "subject"]}[language]
    assert [kind for kind, _ in named[: len(order)]] == order and named[-1][0] == "particle"
    said = dict(item for item in named if item[0] in ("subject", "verb", "particle"))
    stem, told = divmod(said["subject"], 2)
    left = said["particle"]
    high, low = {"svo": (told, left), "sov": (left, told), "vso": (told ^ left, left)}[language]
    objects, adjective = [], None
    for kind, number in named[len(order) : -1]:
        if kind == "adjective" and language == "svo":
            adjective = number
        elif kind == "adjective":
            objects[-1] = objects[-1][0], number
        elif kind == "noun" and language == "sov":
            noun, adjective = divmod(number, 4)
            objects.insert(0, (noun, adjective - 1 if adjective else None))
        elif kind == "noun":
            objects.append((number, adjective))
            adjective = None
    return stem, high, low, said["verb"], objects


def express(meaning, language):
    """The sentence, and the end symbol."""
    kinds = LANGUAGES[language]
    stem, high, low, verb, objects = meaning
    told, left = {"svo": (high, low), "sov": (low, high), "vso": (1 if high != low else 0, low)}[language]
    subject, verb = kinds["subject"] + 2 * stem + told, kinds["verb"] + verb
    particle = kinds["particle"] + left
    words = []
    for noun, adjective in objects:
        describe = [] if adjective is None or language == "sov" else [kinds["adjective"] + adjective]
        if language == "svo":
            words += [*describe, kinds["noun"] + noun]
        elif language == "vso":
            words += [kinds["article"] + noun % 2, kinds["noun"] + noun, *describe]
        else:
            words.insert(0, kinds["noun"] + 4 * noun + (0 if adjective is None else adjective + 1))
    sentence = {"svo": [subject, verb, *words], "sov": [subject, *words, verb], "vso": [verb, subject, *words]}
    return [*sentence[language], particle, 0]


def transduction(x, source="svo", target="sov"):
    end = next(step for step, symbol in enumerate(x) if symbol in (1, 2, 3))
    assert x[end] == 1 + ["svo", "sov", "vso"].index(target)
    return dict(enumerate(express(understand(x[:end], source), target), end))


CHARACTERS = sorted("\n ()*+-.0123456789:<=>abcdefghijlnoprstx")


def run(program):
    """What Python prints; the program is one that the project made, and only such a one is run."""
    assert set(program) <= set(CHARACTERS) and "__" not in program
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(program, {"__builtins__": {"print": print, "range": range}})
    return printed.getvalue().rstrip("\n")


def learning_to_execute(x, scrambled=False, **options):
    key = {symbol: symbol for symbol in range(len(CHARACTERS))}
    if scrambled:
        key = {0: 0} | dict(enumerate(np.random.default_rng(0).permutation(range(1, len(CHARACTERS))).tolist(), 1))
    back = {symbol: CHARACTERS[letter] for letter, symbol in key.items()}
    text = "".join(back[symbol] for symbol in x)
    end = text.index(".")
    answer = run(text[:end]) + "."
    return {end + step: key[CHARACTERS.index(letter)] for step, letter in enumerate(answer)}


NOUNS = ["cat", "cow", "dog", "duck"]
VERBS = ["sing", "sit", "sleep", "slide"]
PLACES = [f"{before} the {place} " for before in ("by", "below") for place in ("hill", "house", "lake", "lawn")]


def beginnings(text, words):
    """For words that `text` begins: the next letter. For words that begin it: the rest of it, with their number."""
    letters = {word[len(text)] for word in words if word.startswith(text) and word != text}
    rests = [(text[len(word) :], number) for number, word in enumerate(words) if text.startswith(word)]
    return letters, rests


def sentence_next(text):
    """The letters that may follow these sentences."""
    text = text.rpartition(". ")[2]
    letters, rests = beginnings(text, [f"the {noun}{s} " for s in ("", "s") for noun in NOUNS])
    for rest, number in rests:
        while rest is not None:
            more, after = beginnings(rest, PLACES)
            letters |= more
            if not after:
                letters |= beginnings(rest, [f"{verb}{'s' if number < 4 else ''}. " for verb in VERBS])[0]
            rest = after[0][0] if after else None
    return letters


def characters(x, source):
    if source == "hello":
        return dict(enumerate([0, 2, 2, 3][: len(x)]))  # e, l, l, o among e, h, l, o
    alphabet = sorted(set("".join(itertools.chain(NOUNS, VERBS, PLACES))) | set("the. s"))
    answers, text = {}, ""
    for step, symbol in enumerate(x):
        text += alphabet[symbol]
        answers[step] = {alphabet.index(letter) for letter in sentence_next(text)}
    return answers


def lookahead(x, ahead=3):
    return {step: x[step + ahead] for step in range(len(x) - ahead)}


def sequence_labelling(x):
    answers, marker = {}, None
    for step, symbol in enumerate(x):
        if symbol >= 4:
            marker = symbol - 4
            answers[step] = marker
        else:
            answers[step] = (symbol + marker) % 4
    return answers


WORDS = ["good", "bad", "not", "and"]


def sequence_classification(x):
    total, negated = 0, False
    for word in (WORDS[symbol] for symbol in x):
        if word == "not":
            negated = not negated
        elif word != "and":
            total += 1 if (word == "good") != negated else -1
            negated = False
    return {len(x) - 1: 0 if total < 0 else 1 if total == 0 else 2}
