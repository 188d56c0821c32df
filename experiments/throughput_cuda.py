"""How fast are our CUDA drivers beside cuDNN as PyTorch runs it, and how far from what the GPU could do?

Method: layers with weights, input and cotangent from the trial's seed, in the precisions that the products have: IEEE
float32, TF32, bfloat16 and float16 (PyTorch then has 16 bits throughout, we round the factors of products alone).
Outputs, states and gradients are held against a float64 run of the NumPy reference before anything is timed; the error
is a column. Each engine has a process of its own on the same GPU, warmed up and timed in turn in rounds (A B, B A ...);
a call lasts until the GPU has ended, launches and Python included; ratios are taken within rounds. Inference keeps
nothing, and our weights are packed once. Training is zeroing gradients, forward, BPTT, all gradients; our weights and
their gradients lie on the host, and the way there and back is part of our time. The floor of a step is the longest of
products, reading weights and sending h to all slices of units, plus the waits of the whole grid, from rates measured
in the same rounds (``docs/benchmarks.md``). ``rnnbench run throughput_cuda --device cuda``, and for a shape of your own
``--set shape=100x16x256x256`` (T x B x I x H).

Sources: K. Pöppel, M. Beck and S. Hochreiter, FlashRNN: I/O-Aware Optimization of Traditional RNNs on Modern Hardware,
International Conference on Learning Representations, 2025 (its shapes with one head: B = 16, T = 1024, H = 768 and
around it); the limits in the claims are this project's own goals.
"""

from rnnbench import cells
from rnnbench.peers import cuda_engines, cuda_frames, tasks
from rnnbench.runner.claims import holds

TIMED, DEVICES = True, ("cuda",)
CELLS = ("elman", "gru", "gru_reset_after", "lstm")
ONE = "100x64x512x512"
FLASH = "1024x16x768x768"
SHAPES = ("100x64x256x256", ONE, "100x64x1024x1024", FLASH)
MORE = (  # of FlashRNN's, as far as a float64 run of them takes a minute
    "256x16x768x768", "512x16x768x768", "2048x16x768x768", "1024x2x768x768", "1024x8x768x768", "1024x32x768x768",
    "1024x64x768x768",
)  # fmt: skip
SIZES = 256, 1024  # of H, for which the goals are
PER_WAIT = 1.15
GOAL = "this project's goal"
GOALS = (
    ("fp32 and tf32", ("ieee", "tf32"), tuple(tasks.COMMON), 1.5),
    ("GRU", cuda_engines.PRECISIONS, ("gru_reset_after",), 2),
    ("LSTM bf16", ("bf16",), ("lstm",), 2),
    ("LSTM fp16, first", ("fp16",), ("lstm",), 0.6),
    ("LSTM fp16", ("fp16",), ("lstm",), 1),
)


def sweep(preset, device):
    """Four cells in all precisions; in paper more of FlashRNN's shapes, and every other cell by itself."""
    if preset == "smoke":
        return [_setting("lstm", "20x8x64x64", precision, rounds=3) for precision in ("ieee", "fp16")]
    found = [_setting(c, shape, p) for shape in SHAPES for c in CELLS for p in cuda_engines.PRECISIONS]
    if preset == "paper":
        found += [_setting("lstm", shape, precision) for shape in MORE for precision in cuda_engines.PRECISIONS]
        found += [_setting(cell, ONE, "ieee", "none") for cell in cells.names() if cell not in CELLS]
    return found


def _setting(cell, shape, precision, peers=cuda_engines.TORCH, rounds=9):
    return {
        "cell": cell, "activation": None, "shape": shape, "precision": precision, "peers": peers, "rounds": rounds,
    }  # fmt: skip


def run(setting, rng):
    """Rows of both directions; without a GPU they say what is missing."""
    from rnnbench.peers import cuda_trial

    shape, file = tasks.parse_shape(setting["shape"]), tasks.file_of(setting["cell"])
    task = tasks.Task(setting["cell"], setting["activation"], shape, "inference", 1, "", file)
    return cuda_trial.rows(task, setting["precision"], setting["peers"], setting["rounds"], rng)


# ---- claims ----


def claims(df):
    """The project's goals, held against the runs."""
    rows, best, floors = cuda_frames.times(df), cuda_frames.best(df), cuda_frames.floors(df)
    for direction in tasks.DIRECTIONS:
        here = _sized(rows[rows["direction"] == direction])
        for name, precisions, of, goal in GOALS:
            yield _beside_torch(f"{name}, {direction}", here, precisions, of, goal)
        yield _per_wait(f"per barrier, {direction}", best[best["direction"] == direction], floors)
    timed = rows[rows["outcome"].isin(("ok", "mismatch"))]
    worst = timed.groupby("precision")["error"].max().dropna()
    yield holds(
        "same numbers", "Every engine that was timed gave the reference's outputs and gradients, as far as its "
        "precision explains.", "derived: the rounding of factors", timed["outcome"] == "ok",
        note=" ".join(f"{name}: largest error {error:.1g}." for name, error in worst.items()),
    )  # fmt: skip


def _sized(rows):
    hidden = rows["shape"].map(lambda text: int(text.rpartition("x")[2])).astype(float)
    return rows[hidden.between(*SIZES)]


def _beside_torch(name, rows, precisions, of, goal):
    rows = rows[rows["precision"].isin(precisions) & rows["cell"].isin(of)]
    rows = rows[(rows["peer"] == cuda_engines.TORCH) & rows["ratio"].notna()].sort_values("ratio")
    lost = [f"{r.cell} {r.shape} {r.precision} {r.ratio:.2f}" for r in rows[rows["ratio"] < goal].itertuples()]
    note = f"From {rows['ratio'].min():.2f} to {rows['ratio'].max():.2f}. " if len(rows) else ""
    return holds(
        name, f"{', '.join(of)} in {', '.join(precisions)}, H from {SIZES[0]} to {SIZES[1]}: at least {goal:g} times "
        "the speed of cuDNN as PyTorch runs it.", GOAL, rows["ratio"] >= goal,
        note=note + (f"Missed: {', '.join(lost)}." if lost else ""),
    )  # fmt: skip


def _per_wait(name, best, floors):
    """Time per wait of the grid, of the persistent driver, over that of the LSTM at the same shape and precision."""
    place = ["shape", "precision"]
    rows = best[best["peer"] == "persistent"].merge(floors[[*cuda_frames.KEY, "waits"]], on=cuda_frames.KEY)
    rows = rows[rows["waits"] > 0]
    rows = rows.assign(each=rows["us_per_step"] / rows["waits"])
    lstm = rows.loc[rows["cell"] == "lstm", [*place, "each"]]
    rows = rows[rows["cell"] != "lstm"].merge(lstm, on=place, suffixes=("", "_lstm"))
    over = rows["each"] / rows["each_lstm"]
    rows = rows.assign(over=over).sort_values("over", ascending=False)
    lost = [f"{r.cell} {r.shape} {r.precision} {r.over:.2f}" for r in rows[rows["over"] > PER_WAIT].itertuples()]
    return holds(
        name, f"A step of any other cell takes at most {PER_WAIT:g} times as long as the LSTM's, per wait of the grid.",
        GOAL, rows["over"] <= PER_WAIT, note=f"Missed: {', '.join(lost)}." if lost else "",
    )  # fmt: skip


# ---- tables and figures ----


def tables(df):
    """Times, ratios, errors and floors; who could not take part."""
    return cuda_frames.tables(df)


def figures(df):
    """Microseconds per step of ours, of PyTorch and of the floor, a figure per direction."""
    times, best, floors = cuda_frames.times(df), cuda_frames.best(df), cuda_frames.floors(df)
    drawn = {}
    for direction in tasks.DIRECTIONS:
        parts = {
            "rnnbench": best[best["direction"] == direction],
            "PyTorch (cuDNN)": times[(times["peer"] == cuda_engines.TORCH) & (times["direction"] == direction)],
            "floor": floors[floors["direction"] == direction].assign(us_per_step=floors["floor_us"]),
        }
        parts = {name: part.dropna(subset="us_per_step") for name, part in parts.items()}
        if len(parts["rnnbench"]) or len(parts["PyTorch (cuDNN)"]):
            caption = f"Time of a step in {direction}: the driver that fits, PyTorch, and the floor, by precision of "
            drawn[direction] = _steps(parts), caption + "the products. Cells and shapes T x B x I x H."
    return drawn


def _steps(parts):
    """A panel per precision, a line per cell and shape."""
    import matplotlib.pyplot as plt

    from rnnbench.report.style import BLUE, GREY, VERMILION

    label = {name: part["cell"] + "  " + part["shape"] for name, part in parts.items()}
    names = sorted({text for texts in label.values() for text in texts})[::-1]
    shown = [p for p in cuda_engines.PRECISIONS if any((part["precision"] == p).any() for part in parts.values())]
    figure, axes = plt.subplots(
        1, len(shown), figsize=(4.5 + 2.7 * len(shown), 2 + 0.3 * len(names)), sharex=True, sharey=True, squeeze=False
    )
    looks = {
        "rnnbench": {"color": BLUE, "marker": "o"},
        "PyTorch (cuDNN)": {"color": VERMILION, "marker": "s", "fillstyle": "none"},
        "floor": {"color": GREY, "marker": "|", "markersize": 12},
    }
    for ax, precision in zip(axes[0], shown, strict=True):
        for name, part in parts.items():
            here = part["precision"] == precision
            places = label[name][here].map(names.index)
            ax.plot(part.loc[here, "us_per_step"], places, linestyle="", label=name, **looks[name])
        ax.set(title=precision, xlabel="µs per step", xscale="log", ylim=(-0.7, len(names) - 0.3))
        ax.xaxis.set_major_formatter("{x:g}")
    axes[0, 0].set_yticks(range(len(names)), names, fontsize=10)
    handles, texts = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, texts, ncol=len(parts), loc="outside upper center", fontsize=9)
    return figure
