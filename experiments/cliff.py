"""Why does one step of gradient descent throw a recurrent network away, and what does clipping do about it?

Method: float64, BPTT through one sigmoid unit x_t = w sigma(x_{t-1}) + b with x_0 = 0.5 and the error
(sigma(x_50) - 0.7)^2. ``surface``: the error over (w, b). ``wall``: where the final state jumps, to 1e-12 in b, and the
gradient by (w, b) against the distance from there. ``descent``: gradient descent from random starts above the wall,
rate 1, without clipping and with the gradient's norm clipped to 0.3, from the same starts; thrown means a single step
longer than 1. (On other starts thresholds from 0.2 to 1 did alike.) ``bifurcation``: the unit at w = 5; its folds in
closed form, by root finding, and by the bias at which 20,000 steps from below (above) change their end. ``latch``: the
input that a tanh unit a_t = w tanh(a_{t-1}) + h withstands, by the same search.

Sources: R. Pascanu, T. Mikolov and Y. Bengio, On the difficulty of training recurrent neural networks, ICML 2013
(figures 3 and 6); K. Doya, Bifurcations in the learning of recurrent neural networks, IEEE International Symposium on
Circuits and Systems, 1992; Y. Bengio, P. Simard and P. Frasconi, Learning Long-Term Dependencies with Gradient Descent
is Difficult, IEEE Transactions on Neural Networks 5, 1994 (the latch).
"""

import numpy as np

from rnnbench.report import charts
from rnnbench.report.style import BLUE, GREEN, GREY, VERMILION, line_styles
from rnnbench.runner.claims import bound, compare, ranking
from rnnbench.runner.frames import measured
from rnnbench.runner.intervals import wilson
from rnnbench.runner.record import short

GRID = {"smoke": 7, "quick": 41, "paper": 101}  # values of w, and of b on each side of the wall
SEEDS = {"smoke": 1, "quick": 5, "paper": 20}
STARTS = {"smoke": 10, "quick": 100, "paper": 500}
SETTLE = {"smoke": 2000, "quick": 20000, "paper": 20000}  # steps of a search for a fold
WINDOW = (3.5, 6.5, -3.9, -1.2)  # w and b of the picture
WALLS, LATCHES = (4.5, 5.0, 5.5, 6.0), (1.25, 1.5, 2.0, 3.0, 5.0)
W, B = 5.0, -3.0  # the place of the published error, and the weight of the bifurcation diagram
STEPS, RATE, THRESHOLD, LAST, THROWN = 100, 1.0, 0.3, 20, 1.0
BESIDE = 0.05  # from here on a place is beside the wall
WAYS = {"roots": "root finding", "simulated": "simulation"}
RULES = {"no clipping": VERMILION, "clipped": GREEN}
PASCANU = "Pascanu, Mikolov & Bengio 2013, section 2.3 and figure 6"


def sweep(preset, device):
    """One surface, walls, descents from random starts, folds, latches."""
    if preset not in GRID:
        return []
    found = [{"part": "surface", "points": GRID[preset]}, {"part": "bifurcation", "steps": SETTLE[preset]}]
    found += [{"part": "wall", "w": w} for w in WALLS]
    found += [{"part": "latch", "w": w, "steps": SETTLE[preset]} for w in LATCHES]
    found += [{"part": "descent", "starts": STARTS[preset], "replicate": i} for i in range(SEEDS[preset])]
    return found


def run(setting, rng):
    """The rows of one part."""
    part = {"surface": _surface, "wall": _wall, "descent": _descent, "bifurcation": _folds, "latch": _latch}
    rows = part[setting["part"]](setting, rng)
    return [short(row, 4 if row["kind"] in ("point", "path") else 12) for row in rows]


def _surface(setting, rng):
    from rnnbench.probes import single_unit

    points, device = setting["points"], setting["device"]
    weights, below, above = np.linspace(*WINDOW[:2], points), WINDOW[2], WINDOW[3]
    walls = [_wall_at(w, device) for w in weights]
    near = np.linspace(0, 1, points) ** 2  # no place is on the wall itself, and many are beside it
    b = np.array(
        [[*(m + (below - m) * (near[::-1] + 1e-10)), *(m + (above - m) * (near + 1e-10))] for m in walls]
    ).ravel()
    w = np.repeat(weights, 2 * points)
    error, dw, db = single_unit.error_surface(w, b, device=device)
    at, *_ = single_unit.error_surface(np.array([W]), np.array([B]), device=device)
    rows = [{"kind": "published", "w": W, "b": B, "error": float(at[0])}]
    norms = np.hypot(dw, db)
    return rows + [
        {"kind": "point", "w": x, "b": y, "error": e, "norm": n}
        for x, y, e, n in zip(w.tolist(), b.tolist(), error.tolist(), norms.tolist(), strict=True)
    ]


def _wall_at(w, device):
    """The bias where the state after 50 steps jumps."""
    from rnnbench.probes import single_unit

    start = single_unit.logistic(0.5)

    def above(minus_b):
        return single_unit.run_units(np.full(len(minus_b), w), -minus_b, start, 50, device=device) > 0.5

    return -single_unit.border(above, 1.0, 5.0, rounds=7)


def _wall(setting, rng):
    """The wall of one w, and the gradient's norm on both sides of it."""
    from rnnbench.probes import single_unit

    w, wall = setting["w"], _wall_at(setting["w"], setting["device"])
    distances = np.concatenate([-np.logspace(0, -11, 56), np.logspace(-11, 0, 56)])
    _, dw, db = single_unit.error_surface(
        np.full(len(distances), w), wall + distances, device=setting["device"]
    )  # fmt: skip
    return [
        {"kind": "wall", "wall": wall, "distance": d, "norm": n}
        for d, n in zip(distances.tolist(), np.hypot(dw, db).tolist(), strict=True)
    ]


def _descent(setting, rng):
    """Descents by both rules from the same starts; one of the first replicate's in full."""
    from rnnbench.probes import single_unit

    starts = setting["starts"]
    w = rng.uniform(4.5, 6.5, starts)
    b = -w / 2 + rng.uniform(0.0, 0.6, starts)
    rows, paths, far = [], {}, {}
    for rule in RULES:
        place, path, errors = np.array([w, b]), [], []
        for _ in range(STEPS):
            error, *gradient = single_unit.error_surface(*place, device=setting["device"])
            path.append([*place, error])
            errors.append(error)
            step = RATE * np.array(gradient)
            if rule == "clipped":
                step *= np.minimum(1.0, THRESHOLD / np.maximum(np.hypot(*gradient), 1e-300))
            place = place - step
        paths[rule] = np.array(path)
        moves = np.diff(paths[rule][:, :2], axis=0)
        far[rule] = np.hypot(moves[:, 0], moves[:, 1]).max(axis=0)
        final = np.mean(errors[-LAST:], axis=0)
        row = {"kind": "descent", "rule": rule, "thrown": int((far[rule] > THROWN).sum()), "runs": starts}
        rows.append(row | {"final": float(np.median(final)), "solved": float((final < 0.02).mean())})
    if setting["replicate"] == 0:
        steps = np.linalg.norm(np.diff(paths["no clipping"][:, :2], axis=0), axis=1)
        shown = int(
            np.where((steps > THROWN).any(axis=0), w, 0).argmax()
        )  # of those thrown the one with the longest way
        for rule, path in paths.items():
            for step, (x, y, e) in enumerate(path[:, :, shown].tolist()):
                rows.append({"kind": "path", "rule": rule, "step": step, "w": x, "b": y, "error": e})
    return rows


def _folds(setting, rng):
    """Both folds at w = 5 by three ways, and the states around them."""
    from rnnbench.probes import single_unit

    def stays(sign, start):
        def inside(at):
            end = single_unit.run_units(
                np.full(len(at), W), sign * at, start, setting["steps"], device=setting["device"]
            )
            return (end > 0.5) == (start > 0.5)

        return inside

    simulated = {
        "high": single_unit.border(stays(1, single_unit.LOW), -4.0, -1.0),
        "low": -single_unit.border(stays(-1, single_unit.HIGH), 1.0, 4.0),
    }
    rows = []
    by_roots = dict(zip(("low", "high"), single_unit.saddle_nodes_by_roots(W), strict=True))
    for name, exact in zip(("low", "high"), single_unit.saddle_nodes(W), strict=True):
        row = {"kind": "fold", "fold": name, "exact": exact, "roots": by_roots[name], "simulated": simulated[name]}
        rows.append(row)
    for b in np.unique([*np.linspace(-3.4, -1.6, 61), *np.linspace(*single_unit.saddle_nodes(W), 31)]).tolist():
        for state, stable in single_unit.fixed_points(W, b):
            rows.append({"kind": "fixed point", "b": b, "state": state, "stable": stable})
    biases = np.linspace(-3.4, -1.6, 37)
    for start in (single_unit.LOW, single_unit.HIGH):
        ends = single_unit.run_units(np.full(37, W), biases, start, 2000, device=setting["device"])
        rows += [
            {"kind": "end", "b": b, "state": s, "from": start}
            for b, s in zip(biases.tolist(), ends.tolist(), strict=True)
        ]
    return rows


def _latch(setting, rng):
    """The threshold of one w by simulation, beside the formula."""
    from rnnbench.probes import single_unit

    w = setting["w"]

    def holds(h):
        weights = np.full(len(h), w)
        return single_unit.run_units(weights, -h, 1.0, setting["steps"], "tanh", setting["device"]) > 0

    simulated = single_unit.border(holds, 0.0, w + 1.0)
    return [{"kind": "latch", "simulated": simulated, "exact": single_unit.latch_threshold(w)}]


def claims(df):
    """The published error, the wall, clipping, the folds, the latch."""
    at = _rows(df, "published")["error"]
    yield compare(
        "E(5, -3)", "The error at w = 5, b = -3 is 0.404198.", "derived, for Pascanu, Mikolov & Bengio 2013, figure 6",
        published=0.404198, tolerance=1e-6, measured=at.iloc[0] if len(at) else None,
    )  # fmt: skip
    walls = _rows(df, "wall")
    ratios = {}
    for w, part in walls.groupby("w"):
        beside = part.loc[part["distance"].abs() >= BESIDE, "norm"].max()
        ratios[w] = part["norm"].max() / beside
    yield bound(
        "the wall", f"At the wall the gradient is at least 100 times as long as anywhere {BESIDE} or more away from it "
        "(w from 4.5 to 6).", f"{PASCANU}; the factor is ours", at_least=100,
        measured=min(ratios.values()) if ratios else None,
        note="".join(f"w = {w:g}: {ratio:.2g} times. " for w, ratio in ratios.items()),
    )  # fmt: skip
    runs = _rows(df, "descent")
    free, clipped = (runs[runs["rule"] == rule] for rule in RULES)
    thrown, total = (int(free[name].sum()) for name in ("thrown", "runs"))
    yield bound(
        "unclipped steps are thrown",
        f"Without clipping most descents from above the wall take a step longer than {THROWN:g}.",
        f"{PASCANU}; 'most', 1/2, is ours", at_least=0.5,
        measured=thrown / total if total else None, interval=wilson(thrown, total) if total else None,
        note=f"{thrown} of {total} starts; with clipping none can." if total else "",
    )  # fmt: skip
    yield ranking(
        "clipped steps stay", f"More descents reach an error below 0.02 with clipping than without, mean of the last "
        f"{LAST} of {STEPS} steps.", PASCANU, {"rate 1": (clipped["solved"], free["solved"])},
        of=f"success rates of {total // max(len(free), 1)} starts",
    )  # fmt: skip
    folds = _rows(df, "fold")
    for way in WAYS:
        off = (folds[way] - folds["exact"]).abs()
        yield bound(
            f"folds, {way}", f"The two saddle-nodes at w = 5 are found to 1e-5 by {WAYS[way]}.",
            "derived; Pascanu, Mikolov & Bengio 2013, figure 3",
            measured=off.max() if len(off) else None, at_most=1e-5,
            note="".join(f"b = {b:.6f}. " for b in sorted(folds["exact"])),
        )  # fmt: skip
    latches = _rows(df, "latch")
    off = (latches["simulated"] - latches["exact"]).abs()
    yield bound(
        "latch", "A tanh unit of weight w holds its bit against inputs up to h* = w sqrt(1-1/w) - artanh(sqrt(1-1/w)), "
        "to 1e-5.", "Bengio, Simard & Frasconi 1994", measured=off.max() if len(off) else None, at_most=1e-5,
        note=f"{len(off)} weights from {latches['w'].min():g} to {latches['w'].max():g}." if len(off) else "",
    )  # fmt: skip


def figures(df):
    """The surface with steps, the gradient near the wall, the bifurcation, the latch."""
    kinds = {kind: _rows(df, kind) for kind in ("point", "path", "wall", "fixed point", "end", "latch")}
    drawn = {}
    if len(kinds["point"]) and len(kinds["path"]):
        drawn["surface"] = _draw_surface(kinds["point"], kinds["path"])
    if len(kinds["wall"]):
        drawn["wall"] = _draw_wall(kinds["wall"])
    if len(kinds["fixed point"]):
        drawn["bifurcation"] = _draw_folds(kinds["fixed point"], kinds["end"])
    if len(kinds["latch"]):
        drawn["latch"] = _draw_latch(kinds["latch"])
    return drawn


def tables(df):
    """Descents by rule."""
    runs = _rows(df, "descent").groupby("rule")[["thrown", "runs", "final", "solved"]]
    table = runs.agg({"thrown": "sum", "runs": "sum", "final": "median", "solved": "mean"}).reset_index()
    return {"descent": (table, "Descents from random starts: thrown, median final error, share below 0.02.")}


def _rows(df, kind):
    texts = ["part", "kind", "rule", "fold"]
    numbers = [
        "w", "b", "error", "norm", "wall", "distance", "thrown", "runs", "final", "solved", "step", "exact",
        "roots", "simulated", "state", "stable", "from", "replicate",
    ]  # fmt: skip
    found = measured(df, texts, numbers, has="kind")
    return found[found["kind"] == kind]


def _draw_surface(points, paths):
    import matplotlib.pyplot as plt

    shape = points["w"].nunique(), -1
    w, b, error = (points[name].to_numpy().reshape(shape) for name in ("w", "b", "error"))
    figure = plt.figure(figsize=(12, 5))
    solid = figure.add_subplot(1, 2, 1, projection="3d", computed_zorder=False)
    solid.plot_surface(
        w, b, error, cmap="cividis", rstride=1, cstride=1, linewidth=0, antialiased=False, zorder=1,
        rasterized=True,  # as vectors it would be 20 MB
    )  # fmt: skip
    solid.set(xlabel="w", ylabel="b", zlabel="error")
    solid.set_box_aspect(None, zoom=0.9)
    solid.view_init(elev=35, azim=35)
    flat = figure.add_subplot(1, 2, 2)
    flat.grid(False)
    figure.colorbar(
        flat.pcolormesh(w, b, error, cmap="cividis", shading="gouraud", rasterized=True), ax=flat, label="error"
    )
    flat.set(xlabel="w", ylabel="b", xlim=WINDOW[:2], ylim=WINDOW[2:])
    for rule, path in paths.groupby("rule"):
        path, look = path.sort_values("step"), {"color": RULES[rule], "marker": "o", "markersize": 3, "linewidth": 1.4}
        flat.plot(path["w"], path["b"], label=rule, **look)
        inside = path["w"].between(*WINDOW[:2]) & path["b"].between(*WINDOW[2:])
        seen = path[inside.cummin()]
        solid.plot(seen["w"], seen["b"], seen["error"] + 0.004, zorder=3, **look)
    flat.legend(loc="upper right", labelcolor="white", fontsize=10)
    return figure, (
        "The error of one unit after 50 steps over its weight and bias, and gradient descent from one start. Both "
        "descents go along the foot of the cliff together, until a step ends on the wall itself: from there the next "
        "one, unclipped (red), is thrown out of the picture; clipped (green) it stays, and finds the valley."
    )


def _draw_wall(walls):
    figure, axes = charts.log_axes("distance in b from the wall", "norm of the gradient by (w, b)", 9, 2)
    for ax, (side, words) in zip(axes[0], ((-1, "below the wall"), (1, "above")), strict=True):
        here = walls[np.sign(walls["distance"]) == side]
        for w, look in line_styles(sorted(walls["w"].unique())).items():
            part = here[here["w"] == w].sort_values("distance")
            ax.plot(part["distance"].abs(), np.log10(part["norm"]), color=look["color"], label=f"w = {w:g}")
        ax.set_xscale("log")
        ax.set_title(words)
    axes[0][0].invert_xaxis()
    axes[0][1].legend(**charts.BESIDE)
    return figure, (
        "The gradient on both sides of the wall. Beside it the slope is gentle; within a tiny strip it is larger by "
        "orders of magnitude, the more so the larger w: there the state stays near an unstable fixed point, and every "
        "step back multiplies the gradient by w σ' > 1."
    )


def _draw_folds(points, ends):
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(8, 4.3))
    for stable, colour, words in ((1, BLUE, "stable"), (0, VERMILION, "unstable")):
        part = points[points["stable"] == stable]
        ax.plot(part["b"], part["state"], ".", color=colour, markersize=4, label=f"{words} fixed points")
    for start, marker in ((0.0, "^"), (1.0, "v")):
        part = ends[ends["from"] == start]
        ax.plot(
            part["b"], part["state"], marker, color=GREY, markersize=7, markerfacecolor="none", linestyle="",
            label=f"simulated, from {start:g}",
        )  # fmt: skip
    ax.set(xlabel="bias b (w = 5)", ylabel="state σ(x)")
    ax.legend(**charts.BESIDE)
    return figure, (
        "All fixed points of a sigmoid unit at w = 5. Between the two folds it has two stable states and remembers "
        "which side it came from; at a fold one of them disappears, and a tiny change of b changes the end altogether."
    )


def _draw_latch(latches):
    import matplotlib.pyplot as plt

    from rnnbench.probes import single_unit

    figure, ax = plt.subplots(figsize=(8, 4.3))
    w = np.linspace(1.02, latches["w"].max() * 1.05, 200)
    threshold = [single_unit.latch_threshold(v) for v in w]
    ax.plot(w, threshold, color=GREY, label="h* by the formula")
    ax.fill_between(w, threshold, color=GREY, alpha=0.15, linewidth=0)
    ax.plot(latches["w"], latches["simulated"], "o", color=BLUE, label="by simulation")
    ax.text(0.75, 0.2, "the bit is held", transform=ax.transAxes, ha="center", style="italic")
    ax.text(0.2, 0.6, "an input h turns it over", transform=ax.transAxes, ha="center", style="italic")
    ax.set(xlabel="weight w", ylabel="input h")
    ax.legend(loc="upper left")
    return figure, (
        "The constant input that a tanh unit withstands without changing its sign. Only a weight above 1 holds a bit; "
        "the larger it is the more noise the bit survives, but the smaller is the gradient that could have taught it."
    )
