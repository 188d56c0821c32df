"""Small programs and what they print, many at a time.

A program is built from the inside: each of its ``nesting`` statements is of a random kind and takes the result of the
one before it in the place of one of its numbers, the others being uniform on 1 ... 10^length. The last one is
printed.

==============  ======================================================  ==================
kind            lines before                                            expression
==============  ======================================================  ==================
addition                                                                (a+b)
subtraction                                                             (a-b)
multiplication                                                          (a*k) or (k*a)
assignment      v=a                                                     (v+b) or (v-b)
condition                                                               (c if a<b else d)
loop            v=a, then for x in range(k):v+=b                        v
==============  ======================================================  ==================

k is uniform on 1 ... 4 length, < may be >, += may be -=, and v is a letter from a to j that the program has not used
yet.

All texts and values are arrays over the programs, joined and computed by NumPy. Texts are bytes of a fixed width,
which are picked and put in a fraction of the time that NumPy's strings of variable width take.
"""

from __future__ import annotations

from functools import cache, reduce

import numpy as np

NAMES = np.array(list("abcdefghij"), "S1")
FACTOR = 4
SMALL = 10_000
CHARACTERS = "".join(sorted(set("print(for x in range):if else\n+-*=<>.0123456789abcdefghij")))


def largest(length, nesting):
    """Return a bound of all values: a statement multiplies what it takes by up to 4 length, and adds a number."""
    return 10**length * (FACTOR * length + 1) ** nesting


def draw(rng, lengths, nestings, kinds):
    """Draw a program per (length, nesting) of two (B,) arrays: its text and what it prints, as arrays of bytes."""
    size = len(lengths)
    code = text = np.full(size, b"")
    value = np.zeros(size, np.int64)
    names = NAMES[np.argsort(rng.random((len(NAMES), size)), axis=0)[: nestings.max()]]
    for level in range(nestings.max()):
        kind = np.where(level < nestings, rng.integers(0, len(kinds), size), -1)
        longer, made = [], []
        for k, name in enumerate(kinds):
            rows = np.flatnonzero(kind == k)
            inner = (text[rows], value[rows]) if level else None
            lines, expression, value[rows] = KINDS[name](rng, lengths[rows], names[level, rows], inner)
            made.append((rows, expression))
            if lines is not None:
                longer.append((rows, _join(code[rows], lines)))
        code, text = _put(code, longer), _put(text, made)
    return _join(code, _join(b"print(", text, b")")), _digits(value)


def encode(texts, symbols):
    """Return texts as (T, B) symbols, given by code point, 0 beyond their ends; and their lengths."""
    lengths = np.strings.str_len(texts)
    letters = texts.view(np.uint8).reshape(len(texts), -1)[:, : lengths.max()]
    return symbols[letters.T], lengths


def _put(texts, parts):
    """Return the texts with those of some rows replaced, as wide as the longest is."""
    width = max([texts.itemsize, *(np.strings.str_len(new).max(initial=1) for _, new in parts)])
    texts = texts.astype(f"S{width}")
    for rows, new in parts:
        texts[rows] = new
    return texts


def _join(*parts):
    return reduce(np.strings.add, parts)


def _digits(numbers):
    """Integers as texts no wider than the longest needs."""
    least, most = numbers.min(initial=0), numbers.max(initial=0)
    width = f"S{max(len(str(least)), len(str(most)))}"
    if max(-least, most) > SMALL:
        return numbers.astype(width)
    return _small_texts().take(numbers + SMALL).astype(width)


@cache
def _small_texts():
    """Integers from -SMALL to SMALL as texts: to look one up takes a tenth of the time of writing it."""
    return np.arange(-SMALL, SMALL + 1).astype(f"S{len(str(-SMALL))}")


def _operands(rng, lengths, count, inner):
    """Pairs (text, value) of `count` numbers, a random one of them replaced by what is given."""
    values = rng.integers(1, 10**lengths, (count, len(lengths)), endpoint=True)
    texts = _digits(values)
    if inner is not None:
        texts = texts.astype(np.result_type(texts, inner[0]))
        place = rng.integers(0, count, len(lengths)), np.arange(len(lengths))
        texts[place], values[place] = inner
    return zip(texts, values, strict=True)


def _small(rng, lengths):
    return rng.integers(1, FACTOR * lengths, endpoint=True)


def _coin(rng, lengths, first, second):
    """Per program one of two texts, and whether it is the first."""
    heads = rng.random(len(lengths)) < 0.5
    return np.where(heads, first, second), heads


def _addition(rng, lengths, name, inner):
    (a, x), (b, y) = _operands(rng, lengths, 2, inner)
    return None, _join(b"(", a, b"+", b, b")"), x + y


def _subtraction(rng, lengths, name, inner):
    (a, x), (b, y) = _operands(rng, lengths, 2, inner)
    return None, _join(b"(", a, b"-", b, b")"), x - y


def _multiplication(rng, lengths, name, inner):
    ((a, x),) = _operands(rng, lengths, 1, inner)
    k = _small(rng, lengths)
    factor = _digits(k)
    behind = rng.random(len(lengths)) < 0.5
    return None, _join(b"(", np.where(behind, a, factor), b"*", np.where(behind, factor, a), b")"), x * k


def _assignment(rng, lengths, name, inner):
    (a, x), (b, y) = _operands(rng, lengths, 2, inner)
    sign, plus = _coin(rng, lengths, b"+", b"-")
    return _join(name, b"=", a, b"\n"), _join(b"(", name, sign, b, b")"), np.where(plus, x + y, x - y)


def _condition(rng, lengths, name, inner):
    (a, w), (b, x), (c, y), (d, z) = _operands(rng, lengths, 4, inner)
    sign, less = _coin(rng, lengths, b"<", b">")
    text = _join(b"(", c, b" if ", a, sign, b, b" else ", d, b")")
    return None, text, np.where(np.where(less, w < x, w > x), y, z)


def _loop(rng, lengths, name, inner):
    (a, x), (b, y) = _operands(rng, lengths, 2, inner)
    sign, plus = _coin(rng, lengths, b"+", b"-")
    k = _small(rng, lengths)
    lines = _join(name, b"=", a, b"\nfor x in range(", _digits(k), b"):", name, sign, b"=", b, b"\n")
    return lines, name, x + np.where(plus, k, -k) * y


KINDS = {
    "addition": _addition,
    "subtraction": _subtraction,
    "multiplication": _multiplication,
    "assignment": _assignment,
    "condition": _condition,
    "loop": _loop,
}
