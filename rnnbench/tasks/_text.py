"""The task of predicting the next character of a given text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rnnbench.tasks._answers import IMPOSSIBLE
from rnnbench.tasks._pairs import all_right
from rnnbench.tasks._task import Batch, Chance, Task


def read(path):
    """Return the text in a UTF-8 file of the user's own.

    Raises
    ------
    ValueError
        Naming the option, if the file cannot be read or holds fewer than two characters.
    """
    expected = "expected the path of a UTF-8 text file of two characters or more"
    if not isinstance(path, str | Path):
        raise ValueError(f"text: got {path!r}, {expected}")
    try:
        text = Path(path).read_bytes().decode("utf-8")  # line ends as they are
    except (OSError, ValueError) as error:
        raise ValueError(f"text: got {path!r}, {expected} ({error})") from None
    if len(text) < 2:
        raise ValueError(f"text: got {path!r} with {len(text)} characters, {expected}")
    return text


def text_task(text, length, anywhere=True):
    """Return the task of predicting characters of a text from those before them, anywhere or from its beginning."""
    letters, codes = np.unique(np.frombuffer(text.encode("utf-32-le"), np.uint32), return_inverse=True)
    codes = codes.astype(np.int64)
    longest = len(codes) - 1

    counts = np.zeros((len(letters), len(letters)))
    np.add.at(counts, (codes[:-1], codes[1:]), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    logits = np.where(shares > 0, np.log(np.where(shares > 0, shares, 1)), IMPOSSIBLE)
    losses = np.append(0, np.cumsum(-logits[codes[:-1], codes[1:]]))
    wrong = np.append(0, np.cumsum(logits.argmax(axis=1)[codes[:-1]] != codes[1:]))

    def last_start(length):
        return longest - length if anywhere else 0

    def generate(rng, size, length):
        starts = rng.integers(0, last_start(length), size, endpoint=True)
        window = codes[starts + np.arange(length + 1)[:, None]]
        return Batch(window[:-1], window[1:], np.ones((length, size), bool))

    def chance(length):
        starts = np.arange(last_start(length) + 1)
        loss = (losses[starts + length] - losses[starts]).mean() / length
        return Chance(float(loss), float((wrong[starts + length] == wrong[starts]).mean()))

    return Task(
        loss="softmax",
        symbols=True,
        inputs=len(letters),
        outputs=len(letters),
        length=min(length, longest),
        shortest=1,
        longest=longest,
        generate=generate,
        naive=lambda batch: logits[batch.x],
        chance=chance,
        correct=all_right,
        criterion="Every next character of the window is right.",
        alphabet=tuple(map(chr, letters)),
    )
