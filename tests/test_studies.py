"""What training experiments share: rows, sizes, choices, figures."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from rnnbench import cells, tasks
from rnnbench.layers import Network
from rnnbench.layout import Layout
from rnnbench.report import style
from rnnbench.runner import scratch
from rnnbench.studies import choices, curves, learning, medians, rates, sizes
from rnnbench.training import evaluate, train
from rnnbench.training.optimisers import RMSProp

TASK = tasks.get("adding")


def learned(seeds=2, steps=12, cell="elman", **options):
    build = learning.network_for(TASK, cell, 6, readout="last")
    options = {"rate": 0.01, "length": 10, "batch_size": 4, "points": 3, "test": 50} | options
    return learning.learn(build, TASK, np.random.default_rng(3), seeds=seeds, steps=steps, **options)


def of(rows, kind):
    return [row for row in rows if row["kind"] == kind]


def test_the_rows_are_those_of_a_run_by_hand():
    rows = learned(optimiser="rmsprop", optimiser_options={"decay": 0.9})
    streams = [s.spawn(3) for s in np.random.default_rng(3).bit_generator.seed_seq.spawn(2)]
    for replica, (first, data, test) in enumerate(streams):
        network = Network.build("elman", 2, 1, 6, readout="last", seed=np.random.default_rng(first))
        history = train(
            network, TASK, 12, optimiser=RMSProp(0.01, decay=0.9), batch_size=4, length=10,
            seed=np.random.default_rng(data),
        )  # fmt: skip
        mine = [row for row in of(rows, "curve") if row["replica"] == replica]
        assert [row["step"] for row in mine] == [4, 8, 12]
        np.testing.assert_allclose([row["loss"] for row in mine], history.loss[:, 0].reshape(3, 4).mean(1), rtol=1e-4)
        (end,) = (row for row in of(rows, "end") if row["replica"] == replica)
        score = evaluate(network, TASK, size=50, length=10, seed=np.random.default_rng(test))
        np.testing.assert_allclose([end["loss"], end["success"]], [score.loss[0], score.success[0]], rtol=1e-4)
        assert end["parameters"] == sum(p.size for p in network.parameters().values())
        assert (end["outcome"], end["stopped"], end["test_length"]) == ("training", 12, 10)


def test_a_seed_is_the_same_alone():
    two, one = learned(seeds=2), learned(seeds=1)
    assert [row for row in two if row.get("replica") != 1] == one


def test_it_is_tested_at_every_length_beside_the_naive_predictor():
    rows = learned(lengths=(10, 20))
    assert [row["test_length"] for row in of(rows, "end") if row["replica"] == 0] == [10, 20]
    assert [(row["test_length"], row["loss"]) for row in of(rows, "naive")] == [(10, 0.16667), (20, 0.16667)]


def test_divergence_is_an_outcome():
    rows = learned(rate=1e30, optimiser="sgd", cell="irnn")
    assert {row["outcome"] for row in of(rows, "end")} == {"diverged"}


def test_an_interrupted_run_goes_on_bit_for_bit(tmp_path, monkeypatch):
    whole = learned(steps=12)
    monkeypatch.setattr(learning, "SAVE_AFTER", 0.0)
    path = tmp_path / "file"

    class Stop(KeyboardInterrupt):
        pass

    keep = learning.Trainer.save

    def save_and_stop(trainer, file):
        keep(trainer, file)
        if trainer.history.steps == 7:
            raise Stop

    monkeypatch.setattr(learning.Trainer, "save", save_and_stop)
    with pytest.raises(Stop), scratch.lent(path):
        learned(steps=12)
    assert path.exists()
    with scratch.lent(path):
        assert learned(steps=12) == whole
    assert not path.exists()


def test_optimisers_by_name():
    assert repr(learning.optimiser_of("RMSProp", 0.1, decay=0.5)) == repr(RMSProp(0.1, decay=0.5))
    for name in ("rmsprob", "callable"):
        with pytest.raises(ValueError, match=f"optimiser: got '{name}', expected one of adagrad, adam"):
            learning.optimiser_of(name, 0.1)


@pytest.mark.parametrize("cell", ["elman", "lstm", "gru", "lstm_fgr", "lstm_peephole", "jordan", "clockwork", "indrnn"])
@pytest.mark.parametrize("parameters", [500, 10_000])
def test_sizes_match_what_a_network_has(cell, parameters):
    hidden = sizes.units(cell, 3, 2, parameters)

    def count(size):
        try:
            network = Network.build(cell, 3, 2, size)
        except ValueError:
            return np.inf
        free = Layout(cells.get(cell), 3, size).weight_count()
        readout = sum(p.size for p in network.parts["readout"].params.values())
        return free + readout

    off = {size: abs(count(size) - parameters) for size in range(max(1, hidden - 5), hidden + 6)}
    assert off[hidden] == min(off.values()) < 0.15 * parameters


def test_sizes_out_of_reach_are_refused():
    with pytest.raises(ValueError, match="no hidden size of 'lstm' comes near"):
        sizes.units("lstm", 100, 1, 50)


def frame(rows):
    return pd.DataFrame([{"status": "ok", "kind": "end", "outcome": "training"} | row for row in rows])


def test_the_best_is_the_lowest_median_and_divergence_is_worst():
    rows = [{"cell": "a", "rate": rate, "loss": loss} for rate in (0.1, 1.0) for loss in (rate, rate + 1, 9 - rate)]
    rows += [{"cell": "b", "rate": 0.1, "loss": 5.0}, {"cell": "b", "rate": 1.0, "loss": 0.0, "outcome": "diverged"}]
    rows += [{"cell": "c", "rate": 0.1, "loss": np.nan}, {"cell": "c", "rate": 1.0, "loss": 7.0}]
    assert choices.best(frame(rows)) == {"a": 0.1, "b": 0.1, "c": 1.0}
    assert choices.best(frame(rows), least=False)["a"] == 1.0
    assert choices.best(frame(rows).assign(size=3), by=("cell", "size"))["b/3"] == 0.1
    assert choices.best(pd.DataFrame([{"status": "failed", "cell": "a", "rate": 0.1}])) == {}


def test_claims_about_seeds_say_how_many_there_were():
    none = pd.Series([], dtype=float)
    for claim in (medians.median, rates.rate):
        empty = claim("a", "It is.", "derived", none, at_least=0.5, note="Naive: 0.")
        assert (empty.verdict, empty.measured, empty.interval, empty.note) == ("not yet run", None, None, "Naive: 0.")
    losses = pd.Series([5.0, 1.0, 2.0, 3.0, 4.0])
    found = medians.median("a", "It is.", "derived", losses, at_most=2.5, note="Naive: 9.")
    assert (found.measured, found.note) == (3.0, "Median of 5 seeds. Naive: 9.")
    assert found.interval[0] <= 2.5 and found.verdict == "partly"
    alone = medians.median("a", "It is.", "derived", losses[:1], of="runs", at_least=5)
    assert (alone.verdict, alone.interval, alone.note) == ("reproduced", None, "Median of 1 runs.")
    solved = rates.rate("a", "It is.", "derived", losses > 1.5, at_least=0.9)
    assert (solved.measured, solved.verdict, solved.note) == (0.8, "partly", "4 of 5 seeds.")


def test_a_task_that_nobody_solves_shows_no_method_to_be_as_good_as_another():
    none, some = pd.Series([False] * 5), pd.Series([True] + [False] * 4)
    verdicts = [rates.gain("a", "It is.", "derived", *pair).verdict for pair in ((none, none), (some, some))]
    assert verdicts == ["partly", "reproduced"]
    assert rates.gain("a", "It is.", "derived", none, none, at_least=0.2).verdict == "partly"
    assert rates.gain("a", "It is.", "derived", none, none).note.endswith("No run succeeds, so nothing is compared.")


def test_figures_and_tables_of_a_run():
    df = frame(learned(lengths=(10, 20))).assign(cell="elman", length=10, solved=True)
    with style.context():
        figure = curves.learning_curves(df, parts="length", title="T = {}")
        (ax,) = figure.axes
        assert ax.get_title("left") == "T = 10" and ax.get_yscale() == "log"
        median = df[df["kind"] == "curve"].groupby("step")["loss"].median()
        np.testing.assert_allclose(ax.lines[0].get_ydata(), median)
        assert ax.lines[1].get_ydata()[0] == 0.16667
        by_length = curves.by_length(df, trained=10).axes[0]
        np.testing.assert_array_equal(by_length.lines[0].get_xdata(), [10, 20])
        rates = curves.success_rates(df[df["kind"] == "end"], x="test_length", by="cell", solved="solved", xlabel="T")
        assert rates.axes[0].lines[0].get_ydata().tolist() == [1.0, 1.0]
        plt.close("all")
    (line,) = curves.ends(df[df["test_length"] != 20], ["cell"]).to_dict("records")
    assert (line["seeds"], line["diverged"], line["parameters"]) == (2, 0, 61)


def test_the_loss_of_what_diverged_is_worse_than_any():
    rows = [{"kind": "end", "status": "ok", "loss": 0.1, "outcome": "training"}] * 2
    rows.append({"kind": "end", "status": "ok", "loss": np.nan, "outcome": "diverged"})
    found = curves.of_kind(pd.DataFrame(rows), "end", "loss")["loss"]
    assert found.tolist() == [0.1, 0.1, np.inf]


def test_a_claim_about_several_conditions_is_judged_by_the_worst():
    values, where = pd.Series([0.0] * 10 + [1.0] * 5), pd.DataFrame({"T": [1] * 5 + [2] * 5 + [3] * 5})
    assert medians.median("n", "s", "p", values, at_most=0.5).verdict == "reproduced"
    claim = medians.median("n", "s", "p", values, where=where, at_most=0.5)
    assert (claim.verdict, claim.measured) == ("not reproduced", 1.0)
    assert "Median of 5 seeds. At T = 3, the worst of 3." in claim.note
    assert medians.median("n", "s", "p", values, where=where, at_least=0.5).measured == 0
    assert medians.median("n", "s", "p", values[:0], where=where[:0], at_most=0.5).verdict == "not yet run"


def test_a_median_of_what_is_no_number_is_none():
    assert medians.median("n", "s", "p", pd.Series([0.1, 0.1, 0.1, np.nan]), at_most=0.5).verdict == "not reproduced"
