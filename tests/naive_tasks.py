"""Each task solved from one sequence by a plain loop: an oracle that shares nothing with rnnbench/tasks.

An oracle has the name of its task and takes one row of x as plain Python lists (a symbol, or a list of channels, per
step; the padding cut off) and the options that its variant sets. It returns {step: answer} for exactly the scored
steps: a number or a list of them (squared), a class (softmax), True or False or a list of them (logistic), or None
where nobody can know.

BEST has, by task, a function of the same options that gives the probability that the oracle is right, for tasks whose
noise leaves a doubt.
"""

BEST = {}


def copy(x, recall=10, symbols=8):
    marker = x.index(symbols + 1)
    answers = {step: 0 for step in range(marker + 1)}
    for place in range(recall):
        answers[marker + 1 + place] = x[place]
    return answers


def adding(x, scale=1.0, offset=0.0, **options):
    total = sum(value for value, marker in x if marker == 1)
    return {len(x) - 1: offset + scale * total}


def multiplication(x, placement="tenths", **options):
    product = 1.0
    for value, marker in x:
        if marker == 1:
            product *= value
    return {len(x) - 1: product}


def parity(x, final=False, **options):
    odd, answers = False, {}
    for step, [bit] in enumerate(x):
        odd = odd != (bit == 1)
        answers[step] = odd
    return {len(x) - 1: odd} if final else answers


def temporal_order(x, relevant=2, **options):
    seen = [symbol for symbol in x if symbol in (0, 1)]
    assert len(seen) == relevant
    return {len(x) - 1: sum(symbol << place for place, symbol in enumerate(seen))}


def random_permutation(x, every=False, **options):
    answers = {step: None for step in range(len(x) - 1)} if every else {}
    return {**answers, len(x) - 1: x[0]}


def noiseless_memorization(x, symbols=2, recall=5):
    marker = x.index(symbols + 1)
    answers = {step: 0 for step in range(marker)}
    for place in range(recall):
        answers[marker + place] = x[place]
    return answers
