"""Searches on seeds of their own, checkpoints inside a trial, trials of times apart from others."""

import functools

import pytest
from toy_experiments import TOY, call, toy_trials, write_toy

from rnnbench.runner import campaign, executors, scratch
from rnnbench.runner.discovery import find_experiments
from rnnbench.runner.record import DamagedRecord, seal, validate
from rnnbench.runner.settings import SEARCH_SEEDS, generator, root_seed
from rnnbench.runner.store import Store
from rnnbench.runner.trial import execute

SEARCHING = TOY.replace('{"smoke": 1, "quick": 2, "paper": 3}', '{"smoke": 1, "quick": 2, "search": 4, "paper": 3}')
SEARCHING += """

CHOSEN = {"toy": 2.0}


def choose(df):
    return {"toy": float(df.loc[df["lag"] == 2].groupby("rho")["norm"].median().idxmax())}
"""


@pytest.fixture
def folder(tmp_path):
    return write_toy(tmp_path / "toys", source=SEARCHING)


def test_a_search_shares_no_seed_with_what_is_reported(folder):
    reported, searched = (toy_trials(folder, preset) for preset in ("quick", "search"))
    settings_of = {str(t.setting) for t in reported}
    same = [t for t in searched if str(t.setting) in settings_of]
    assert same and not {t.seed for t in reported} & {t.seed for t in searched}
    draws = {generator("toy", t.setting, t.seed).normal() for t in (*reported, *searched)}
    assert len(draws) == len(reported) + len(searched)
    assert all(root_seed("search", 0) > root_seed(preset, SEARCH_SEEDS - 1) for preset in ("smoke", "quick", "paper"))
    with pytest.raises(ValueError, match="seed: got"):
        root_seed("quick", SEARCH_SEEDS)


@pytest.mark.parametrize("change", [{"seed": 0}, {"presets": ["quick"]}, {"presets": ["quick", "search"]}])
def test_a_record_that_mixes_them_is_refused(folder, change):
    record = execute(toy_trials(folder, "search")[0])
    validate(record)
    with pytest.raises(DamagedRecord, match="a trial of a search shares"):
        seal(record | change)


def test_an_experiment_that_chooses_nothing_has_no_search(tmp_path):
    toy = find_experiments(write_toy(tmp_path))["toy"]
    assert toy.sweep("search", "cpu") == [] and toy.sweep("quick", "cpu")


def test_a_search_is_shown_as_what_it_chose(tmp_path, folder, monkeypatch, capsys):
    monkeypatch.setattr("rnnbench.runner.discovery.packaged_folder", lambda: None)
    where = ("--experiments", folder, "--results", tmp_path / "results")
    assert call(monkeypatch, capsys, "run", "toy", "--preset", "search", *where)[0] == 0
    assert call(monkeypatch, capsys, "report", *where)[0] == 0
    page = (tmp_path / "reports" / "index.html").read_text()
    assert "chosen here" in page and "--preset search --device cpu --seed 0" in page
    assert '<span class="count not-yet-run"' in page  # nothing is claimed on a search
    code, out, _ = call(monkeypatch, capsys, "verify", *where)
    assert code == 0 and "1 settings are those that its search of 8 trials chose" in out


def test_only_picks_cells_and_leaves_out_what_has_none(tmp_path, folder):
    write_toy(folder, "cellular", SEARCHING.replace('"mode": "plain"', '"mode": "plain", "cell": f"c{k}"'))
    found = list(find_experiments(folder).values())
    trials = campaign.plan(found, "quick", "cpu", 0, {}, only=("c1",))
    assert {t.setting["cell"] for t in trials if t.experiment.name != "adding"} == {"c1"}
    assert "toy" not in {t.experiment.name for t in trials} and "--only c1" in trials[0].options


def test_only_refuses_an_unknown_cell(folder, monkeypatch, capsys):
    code, _, err = call(monkeypatch, capsys, "run", "toy", "--experiments", folder, "--only", "lstm,gruu")
    assert code == 2 and "--only: got 'gruu', did you mean 'gru'?" in err


CHECKPOINTED = '''"""Goes on?"""
from rnnbench.runner import scratch


def sweep(preset, device):
    return [{{"k": 1}}]


def run(setting, rng):
    file = scratch.checkpoint()
    if not file.exists():
        file.write_text("half")
        raise {error}
    return [{{"found": file.read_text()}}]


def claims(df):
    return []


figures = tables = lambda df: {{}}
'''


def test_an_interrupted_trial_finds_its_checkpoint_and_a_finished_one_leaves_none(tmp_path):
    store = Store(tmp_path / "results")
    write_toy(tmp_path / "toys", source=CHECKPOINTED.format(error="KeyboardInterrupt"))
    trials = campaign.plan([find_experiments(tmp_path / "toys")["toy"]], "quick", "cpu", 0, {}, store=store)
    assert campaign.run(store, trials, executors.serial).interrupted
    assert trials[0].checkpoint.read_text() == "half"
    assert campaign.run(store, trials, executors.serial).counts["ok"] == 1
    assert store.read_local("toy").by_key[trials[0].key]["rows"] == [{"found": ["half"]}]
    assert not trials[0].checkpoint.exists() and scratch.checkpoint() is None


def test_a_changed_experiment_does_not_go_on_from_what_the_old_one_did(tmp_path):
    store = Store(tmp_path / "results")
    source = CHECKPOINTED.format(error="KeyboardInterrupt")
    for folder, text in (("old", source), ("new", source.replace("half", "anew"))):
        found = find_experiments(write_toy(tmp_path / folder, source=text))["toy"]
        (trial,) = campaign.plan([found], "quick", "cpu", 0, {}, store=store)
        assert campaign.run(store, [trial], executors.serial).interrupted
    assert trial.checkpoint.read_text() == "anew"
    assert list(trial.checkpoint.parent.iterdir()) == [trial.checkpoint]


def test_a_failed_trial_keeps_no_checkpoint_and_its_reason_is_told(tmp_path, monkeypatch, capsys):
    folder = write_toy(tmp_path / "toys", source=CHECKPOINTED.format(error='ValueError("broken thing")'))
    where = ("--experiments", folder, "--results", tmp_path / "results")
    code, _, err = call(monkeypatch, capsys, "run", "toy", *where)
    assert code == 1 and "failed: toy: broken thing" in err
    assert not list((tmp_path / "results").rglob(".unfinished/*"))


def test_trials_that_take_times_run_last_and_alone(tmp_path, monkeypatch):
    write_toy(tmp_path, "aaa", TOY + "\n\nTIMED = True\n")
    write_toy(tmp_path, "toy")
    found = find_experiments(tmp_path)
    trials = campaign.plan([found["aaa"], found["toy"]], "smoke", "cpu", 0, {})
    asked = []
    monkeypatch.setattr(
        executors, "_pool", lambda trials, workers, prepare: asked.append((trials, workers)) or iter(())
    )
    list(executors.pool(trials, 3, functools.partial(int)))
    assert [({t.experiment.name for t in some}, workers) for some, workers in asked] == [({"toy"}, 3), ({"aaa"}, 1)]


def test_the_largest_seed_is_told(folder, monkeypatch, capsys):
    code, _, err = call(monkeypatch, capsys, "run", "toy", "--experiments", folder, "--seed", str(SEARCH_SEEDS))
    assert code == 2 and f"expected an integer below {SEARCH_SEEDS}" in err
