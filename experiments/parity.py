r"""Which networks learn to count the ones of a string, even or odd, and at lengths that they never saw?

Method: the task ``parity``, asked at every bit (running) or at the last bit only (final). Every network has about 1,000
parameters and learns from strings of 1 to 40 bits (mixed, batch 32) by Adam, gradient norms clipped at 1, five seeds
side by side, each cell at the learning rate that the preset "search" chose for it on random numbers of its own. Then
1,000 fresh strings of each length are asked, up to 500 bits; in "paper", with ten times as many updates, 200 strings
and up to 2,000 bits. A string is right where every parity asked for is right; who says "even" always is right about
2^-L of the strings (running) or half of them (final), at the loss ln 2.
``--cells my_cell.py`` adds a cell of your own, at the rate 0.01.

What a linear diagonal recurrence cannot do: minGRU's states are h' = (1 - z) h + z n with 0 < 1 - z < 1, and z, n
depend on the bit alone. On a string of ones each of H units is n + (1 - z)^t (h - n), and a readout, a sum of H such
exponentials and a constant, has at most H zeros (Descartes' rule of signs): the answer changes at most H times, where
parity changes at every bit. So no such network is right at every length. With h' = (1 - 2 z) h + z n
(``min_gru_signed``) the coefficient reaches -1, and one unit is exact: a one has z = 1, n = 1, so h' = 1 - h; a zero
has z = 0, so h' = h. The same experiment trains both, and runs the network whose weights say just that on 100,000 bits.

Nets wired by hand (``rnnbench.layers.hand_wired``): parity by hard thresholds, by logistic units; the sum, and the
larger of two sums, on whole numbers, which single precision adds exactly.

Sources: R. Grosse, Lecture 7, Part 1: Recurrent Neural Nets, examples 1 to 3 (nets wired by hand); R. Grazzi,
J. Siems, J. K. H. Franke, A. Zela, F. Hutter and M. Pontil, Unlocking State-Tracking in Linear RNNs Through Negative
Eigenvalues, arXiv 2411.12537, ICLR 2025, theorem 1 and section 5 (trained on up to 40 bits).
"""

from rnnbench import cells
from rnnbench.runner.claims import bound, holds, ranking
from rnnbench.studies import choices, curves
from rnnbench.studies.misses import told
from rnnbench.studies.rates import rate

SIGNED = "min_gru_signed"
CELLS = ("elman", "gru", "lstm", "min_gru", SIGNED)
LAST = ("gru", "lstm")  # that are asked for the last parity alone
CHOSEN = {
    "elman/False": 0.01, "gru/False": 0.03, "gru/True": 0.003, "lstm/False": 0.03, "lstm/True": 0.03,
    "min_gru/False": 0.01, "min_gru_signed/False": 0.03,
}  # fmt: skip
RATES, DEFAULT = (0.003, 0.01, 0.03), 0.01
SEEDS, PARAMETERS, BATCH, CLIP, TRAINED = 5, 1000, 32, 1.0, 40
LENGTHS = (5, 10, 20, 40, 80, 160, 320, 500, 1000, 2000)
WIRED = {"thresholds": 12, "logistic": 12, "sum": 1000, "larger sum": 1000, "eigenvalue -1": 100_000}
RIGHT = 0.99  # of the strings
GRAZZI = "Grazzi et al. 2024, arXiv 2411.12537"
LECTURE = "Grosse, Lecture 7, "


def sweep(preset, device):
    """Cells, asked at every bit or at the last; nets wired by hand; the search has two seeds and half of the steps."""
    running, last = 1600, 3200
    match preset:
        case "smoke":
            wired = [{"net": net, "bits": min(bits, 64)} for net, bits in WIRED.items() if net != "larger sum"]
            few = "elman", "gru", "lstm", SIGNED
            return [_setting(cell, False, 10, 2, 10, parameters=100) for cell in _cells(few)] + wired
        case "search":
            asked = [(cell, False, running) for cell in _cells(CELLS)] + [(cell, True, last) for cell in _cells(LAST)]
            return [
                _setting(cell, final, steps // 2, 2, TRAINED, rate=rate)
                for cell, final, steps in asked for rate in RATES
            ]  # fmt: skip
        case "quick" | "paper":
            longest, more = (500, 1) if preset == "quick" else (2000, 10)
            wired = [{"net": net, "bits": bits} for net, bits in WIRED.items()]
            every = [_setting(cell, False, more * running, SEEDS, longest) for cell in _cells(CELLS)]
            return every + [_setting(cell, True, more * last, SEEDS, longest) for cell in _cells(LAST)] + wired


def _cells(names):
    return dict.fromkeys((*names, *cells.added()))


def _setting(cell, final, steps, seeds, longest, parameters=PARAMETERS, rate=None):
    rate = CHOSEN.get(f"{cell}/{final}", DEFAULT) if rate is None else rate
    setting = {"cell": cell, "final": final, "steps": steps, "parameters_wanted": parameters, "trained": TRAINED}
    return setting | {"longest": longest, "batch": BATCH, "seeds": seeds, "rate": rate}


def run(setting, rng):
    """Train all seeds of one cell side by side; or run a net wired by hand."""
    return _wired(setting["net"], setting["bits"], rng) if "net" in setting else _trained(setting, rng)


def _trained(setting, rng):
    from rnnbench import tasks
    from rnnbench.layers import Network
    from rnnbench.studies.learning import learn
    from rnnbench.studies.sizes import units
    from rnnbench.training.clipping import Clip
    from rnnbench.training.curricula import Curriculum

    cell, made = setting["cell"], []
    hidden = units("min_gru" if cell == SIGNED else cell, 1, 1, setting["parameters_wanted"])

    def build(seed):
        made.append(Network.build(signed() if cell == SIGNED else cell, 1, 1, hidden, seed=seed))
        return made[0]

    rows = learn(
        build, tasks.get("parity", final=setting["final"]), rng, seeds=setting["seeds"], steps=setting["steps"],
        rate=setting["rate"], length=setting["trained"], batch_size=setting["batch"], clip=Clip("norm", CLIP),
        mean="positions", curriculum=Curriculum("mix", tuple(range(1, setting["trained"] + 1))),
        lengths=[length for length in LENGTHS if length <= setting["longest"]],
        test=1000 if setting["longest"] <= 500 else 200,  # the outputs of all steps are kept: else gigabytes
    )  # fmt: skip
    return [row | {"units": hidden} for row in rows + _changes(made[0], setting["longest"])]


def _changes(network, length):
    """How often each replica's answer changes on a string of ones."""
    import numpy as np

    y, _ = network.forward(np.ones((network.replicas, length, 1, 1), network.dtype), tape=False)
    changes = (np.diff(y[:, :, 0, 0] > 0, axis=1)).sum(axis=1)
    return [{"kind": "ones", "replica": r, "ones": length, "changes": int(n)} for r, n in enumerate(changes)]


def signed():
    """The cell of minGRU with 1 - 2 z for 1 - z before the old state: its eigenvalues reach from -1 to 1."""
    from rnnbench.contract import Cell, Gate, Stage, Vector
    from rnnbench.ops import sigmoid

    def forward(a, reads, p):
        z, (h_before,) = sigmoid(a[0]), reads
        return ((1 - z - z) * h_before + z * a[1],)

    gates = Gate("z", ("x",)), Gate("n", ("x",))
    return Cell((Vector("h"),), (Stage(forward, makes=("h",), gates=gates, reads=("h",)),), output="h")


def reflecting():
    """One signed unit with the weights that make it the parity: z = sigmoid(200 x - 100), n = x."""
    from rnnbench.layers import Recurrent

    layer = Recurrent(signed(), 1, 1)
    layer.blocks["z", "x"][...], layer.gate_bias("z")[...] = 200, -100  # sigmoid is then 0 and 1 to rounding
    layer.blocks["n", "x"][...], layer.gate_bias("n")[...] = 1, 0
    return layer


def _wired(net, bits, rng):
    """Ask a net of all strings of up to 12 bits (their prefixes are the shorter ones), or of eight random ones."""
    import itertools

    import numpy as np

    from rnnbench.layers import hand_wired

    if net in ("sum", "larger sum"):
        x = rng.integers(-9, 9, (bits, 8, 1 if net == "sum" else 2), endpoint=True)
        sums = x.cumsum(axis=0)
        layer = hand_wired.running_sum() if net == "sum" else hand_wired.larger_sum()
        y, _ = layer.forward(x.astype(np.float32), tape=False)
        right = y == sums if net == "sum" else np.sign(y - 0.5) == np.sign(sums[..., :1] - sums[..., 1:])
    else:
        few = bits <= 12
        x = np.array(list(itertools.product((0, 1), repeat=bits))).T if few else rng.integers(0, 2, (bits, 8))
        nets = {"thresholds": hand_wired.parity, "logistic": hand_wired.logistic_parity, "eigenvalue -1": reflecting}
        y, _ = nets[net]().forward(x[..., None].astype(np.float32), tape=False)
        right = (y[..., 0] > 0.5) == np.bitwise_xor.accumulate(x, axis=0)
    return [{"kind": "wired", "strings": x.shape[1], "answers": right.size, "wrong": int((~right).sum())}]


def choose(df):
    """The learning rate with the lowest median loss on 40 bits, for each cell and question."""
    ends = curves.of_kind(df, "end", "test_length")
    return choices.best(ends[ends["test_length"] == TRAINED], by=("cell", "final"))


def claims(df):
    """What holds by derivation, and the published outcomes at the lengths that were run."""
    wired = curves.of_kind(df, "wired", "bits", "wrong", words=["net"])
    numbers = "test_length", "success", "loss", "steps", "parameters_wanted"
    ends = curves.of_kind(df, "end", *numbers, words=["cell", "final"])
    ends = ends[(ends["steps"] >= 1600) & (ends["parameters_wanted"] >= PARAMETERS)]
    ones = curves.of_kind(df, "ones", "ones", "changes", "parameters_wanted", words=["cell"])
    ones = ones[(ones["cell"] == "min_gru") & (ones["parameters_wanted"] >= PARAMETERS)]

    def exact(name, net, statement, source):
        rows = wired[(wired["net"] == net) & (wired["bits"] >= WIRED[net])]
        note = f"{int(rows['answers'].sum()):,} answers, {int(rows['wrong'].sum())} wrong." if len(rows) else ""
        return holds(name, statement, source, rows["wrong"] == 0, note=note)

    def at(cell, length, final=False):
        return ends[(ends["cell"] == cell) & (ends["test_length"] == length) & (ends["final"] == final)]

    found = [
        exact("thresholds", "thresholds", "The net of AND and OR units with the output fed back is right on all "
              "strings of up to 12 bits.", LECTURE + "example 3"),
        exact("logistic units", "logistic", "So is the one with logistic units, weights times 20.",
              LECTURE + "example 3 (asked there, answered here)"),
        exact("sum", "sum", "The net of one linear unit is the sum of 1,000 whole numbers, at every step.",
              LECTURE + "example 1"),
        exact("larger sum", "larger sum", "The net of one linear and one logistic unit tells the larger of two sums "
              "at every step, a tie included.", LECTURE + "example 2"),
        exact("eigenvalue -1", "eigenvalue -1", "One linear unit whose eigenvalue is -1 on a one and 1 on a zero is "
              "right at every one of 100,000 bits.", "derived (module's docstring)"),
        *(
            _rate(f"{cell}, 500 bits", f"Trained on up to 40 bits, {article} is right on 99 % of the strings of 500 "
                  "bits, at every bit, for every seed.", GRAZZI + " (nonlinear recurrences, there sLSTM to 256 bits)",
                  at(cell, 500))
            for cell, article in (("elman", "a tanh network"), ("gru", "a GRU"), ("lstm", "an LSTM"))
        ),
        _never("minGRU, 40 bits", "minGRU is never right about every bit of strings of the trained length (on 1 % of "
               "them at most).", at("min_gru", 40)),
        bound(
            "minGRU, ones", "On a string of ones the answer of minGRU changes at most once for each unit.",
            "derived (module's docstring)", at_most=float(ones["units"].min()) if len(ones) else 0.0,
            measured=ones["changes"].max() if len(ones) else None,
            note=f"The most of {len(ones)} seeds; parity changes at every bit." if len(ones) else "",
        ),
        ranking(
            "eigenvalues below 0", "With eigenvalues from -1 to 1 minGRU gets more strings of 40 bits right than with "
            "eigenvalues from 0 to 1, every seed of one than every seed of the other.", GRAZZI + ", table 2 (Mamba)",
            {"40 bits": (at(SIGNED, 40)["success"], at("min_gru", 40)["success"])}, of="success",
        ),
        *(
            _rate(f"{cell}, 500 bits, last", f"Asked for the last parity alone, {article} is right on 99 % of the "
                  "strings of 500 bits, for every seed.", GRAZZI + " (nonlinear recurrences, there sLSTM to 256 bits)",
                  at(cell, 500, True))
            for cell, article in (("gru", "a GRU"), ("lstm", "an LSTM"))
        ),
    ]  # fmt: skip
    return told(found, MISSES)


ONE_ANSWER = "Root seeds 0 to 2 together: 13 of 15 GRUs and 14 of 15 LSTMs; asked at every bit, all five of either."
MISSES = {f"{cell}, 500 bits, last": ONE_ANSWER for cell in LAST}


def _rate(name, statement, source, rows):
    stuck = int((rows["loss"] > 0.6).sum())
    note = f"Strings right at the worst: {rows['success'].min():.3f}." if len(rows) else ""
    note += f" Seeds that never left the plateau of ln 2: {stuck}." if stuck else ""
    return rate(name, statement, source, rows["success"] >= RIGHT, at_least=1.0, note=note)


def _never(name, statement, rows):
    return bound(
        name, statement, GRAZZI + ", theorem 1", at_most=1 - RIGHT,
        measured=rows["success"].max() if len(rows) else None,
        note=f"The best of {len(rows)} seeds; who says \"even\" reaches 2^-40." if len(rows) else "",
    )  # fmt: skip


def figures(df):
    """Right strings against their length."""
    told = {False: ("every", EVERY, "strings that are right at every bit"), True: ("last", LAST_BIT, "right strings")}
    trained = df[df["cell"].notna()] if {"cell", "test_length"} <= {*df} else df[:0]
    return {
        name: (_by_length(trained[trained["final"] == final], ylabel), caption)
        for final, (name, caption, ylabel) in told.items()
        if len(trained) and (trained["final"] == final).any()
    }


def _by_length(rows, ylabel):
    figure = curves.by_length(rows, trained=TRAINED, xscale="log", ylabel=ylabel)
    (ax,) = figure.axes
    lengths = sorted(rows["test_length"].dropna().unique())
    ax.set_xticks(lengths, [f"{length:g}" for length in lengths], minor=False)
    ax.set_xticks([], minor=True)
    for number, line in enumerate(ax.lines[:-1]):  # those that lie upon each other show as stripes
        line.set_linewidth(max(10 - 3 * number, 2))
    return figure


EVERY = (
    "Parity at every bit: part of the strings of a length that are right throughout, median over the seeds with their "
    "range, after training on 1 to 40 bits (grey). Networks with a nonlinear recurrence have found the automaton; "
    "minGRU, whose linear recurrence has positive coefficients only, cannot learn even the trained lengths; with "
    "coefficients down to -1 it can, but loses count beyond."
)
LAST_BIT = "The same where the last parity alone is asked for, in training too: guessing is right about half."


def tables(df):
    """Training at 40 bits and at the longest; nets wired by hand."""
    ends = curves.of_kind(df, "end", "test_length")
    ends = ends[ends["test_length"].isin([TRAINED, ends["test_length"].max()])]
    by = ["cell", "final", "units", "ones"]
    changes = curves.of_kind(df, "ones", "ones", "changes", words=by).groupby(by)["changes"]
    wired = curves.of_kind(df, "wired", "bits", "strings", "answers", "wrong", words=["net"])
    return {
        "ends": (curves.ends(ends, ["cell", "final", "test_length", "rate"]), "Medians over the seeds; naive: ln 2."),
        "ones": (changes.agg(["min", "max"]).reset_index(), "How often the answer changes on a string of ones."),
        "wired": (wired[["net", "bits", "strings", "answers", "wrong"]], "Nets wired by hand."),
    }
