"""Each task solved from one sequence by a plain loop: an oracle that shares nothing with rnnbench/tasks.

An oracle has the name of its task and takes one row of x as plain Python lists (a symbol, or a list of channels, per
step; the padding cut off) and the options that its variant sets. It returns {step: answer} for exactly the scored
steps: a number or a list of them (squared), a class (softmax), True or False or a list of them (logistic), or None
where nobody can know.

BEST has, by task, a function of the same options that gives the probability that the oracle is right, for tasks whose
noise leaves a doubt. MORE has, by task, settings to test besides the variants: options that are added to those of the
first variant, by a name.
"""

from statistics import NormalDist

BEST = {}
MORE = {
    "copy": {"three_of_two": {"symbols": 2, "recall": 3}},
    "copy_vectors": {"fixed": {"bits": 2, "vary": False}},
    "adding": {"ends": {"placement": "first_ten", "tolerance": 1.2}, "loose": {"tolerance": 5}},
    "multiplication": {"loose": {"placement": "halves", "tolerance": 0.8}},
    "parity": {"uniform": {"lengths": "uniform"}, "uniform_final": {"lengths": "uniform", "final": True}},
    "random_permutation": {"small": {"symbols": 3, "every": True}},
    "two_sequence": {"one": {"informative": 1, "noisy_information": True}},
    "latch": {"one": {"informative": 1, "target": 0.5, "longer": 1.0}},
    "timing": {
        "far": {"interval": 2, "delays": (0, 7, 3), "spikes": 4},
        "guessed": {"delays": [0, 1, 2]},
        "made": {"generate": True, "interval": 3, "delays": (5, 0)},
    },
    "sums": {"loose": {"tolerance": 2}},
}


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


def copy_vectors(x, bits=8, **options):
    marker = [channels[bits] for channels in x].index(1)
    return {marker + 1 + n: [bit == 1 for bit in x[n][:bits]] for n in range(marker)}


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


def two_sequence(x, informative=3, noisy_targets=False, **options):
    positive = sum(value for [value] in x[:informative]) > 0
    low, high = (0.8, 0.2) if noisy_targets else (0.0, 1.0)
    return {len(x) - 1: high if positive else low}


def certainty_of_two_sequences(informative=3, noisy_information=False, **options):
    return NormalDist().cdf((informative / 0.2) ** 0.5) if noisy_information else 1.0


BEST["two_sequence"] = certainty_of_two_sequences


def latch(x, target=0.8, **options):
    return {len(x) - 1: target if x[0][0] > 0 else -target}


def timing(x, generate=False, interval=10, **options):
    answers = {}
    if generate:
        due = None
        for step, [value] in enumerate(x):
            if due is None:
                due = step + interval + value - 1
            answers[step] = 1 if step == due else 0
            if step == due:
                due = None
        return answers
    waited = 0
    for step, [value] in enumerate(x):
        waited += 1
        if value == 1:
            answers[step] = waited - interval
            waited = 0
    return answers


def sums(x, final=False, **options):
    total, answers = 0.0, {}
    for step, [value] in enumerate(x):
        total += value
        answers[step] = total
    return {len(x) - 1: total} if final else answers


def compare_sums(x, final=False):
    first, second, answers = 0.0, 0.0, {}
    for step, values in enumerate(x):
        first, second = first + values[0], second + values[1]
        answers[step] = first > second
    return {len(x) - 1: first > second} if final else answers
