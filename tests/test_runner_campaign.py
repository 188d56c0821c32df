"""Runs: what is skipped, what is run again, what is committed."""

import functools
import json
import os
import subprocess
import sys

import pytest
from toy_experiments import TOY, toy_trials, write_toy

from rnnbench.runner import campaign, executors, status
from rnnbench.runner.discovery import find_experiments
from rnnbench.runner.errors import UserError
from rnnbench.runner.running import announced, in_hand
from rnnbench.runner.status import count
from rnnbench.runner.store import Store

PLAIN = {"ok": 2, "failed": 0, "diverged": 0}
NOTHING = {"ok": 0, "failed": 0, "diverged": 0}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


@pytest.fixture
def folder(tmp_path):
    return write_toy(tmp_path / "toys")


def go(store, trials, **options):
    return campaign.run(store, trials, executors.serial, **options)


def test_what_is_done_is_not_run_again(store, folder):
    assert go(store, toy_trials(folder)).counts == PLAIN
    before = {key: record["date"] for key, record in store.read_local("toy").by_key.items()}
    second = go(store, toy_trials(folder))
    assert second.counts == NOTHING and second.skipped == 2
    assert {key: record["date"] for key, record in store.read_local("toy").by_key.items()} == before
    assert go(store, toy_trials(folder), again=True).counts == PLAIN


def test_diverged_trials_are_done_and_failed_ones_are_not(store, folder):
    trials = toy_trials(folder, mode="fail,diverge")
    assert go(store, trials).counts == {"ok": 0, "failed": 2, "diverged": 2}
    second = go(store, trials)
    assert second.counts == {"ok": 0, "failed": 2, "diverged": 0} and second.skipped == 2


def test_a_damaged_result_is_told_and_run_again(store, folder):
    trials = toy_trials(folder)
    go(store, trials)
    path = store.local_path("toy", trials[0].key)
    path.write_text(path.read_text()[:50])
    outcome = go(store, trials)
    assert outcome.counts["ok"] == 1 and outcome.skipped == 1
    assert [damage.path for damage in outcome.damage] == [path]
    assert not store.read_local("toy").damage


def test_an_interrupt_keeps_what_has_ended(store, folder):
    source = TOY.replace('"plain", "replica"', '"plain" if rho < 1 else "interrupt", "replica"')
    trials = toy_trials(write_toy(folder.parent / "others", source=source))
    outcome = go(store, trials)
    assert outcome.interrupted and outcome.counts["ok"] == 1
    assert len(store.read_local("toy").by_key) == 1
    assert not list(store.local.rglob("*.tmp")) and not in_hand(store)


def test_a_trial_remembers_every_preset_that_asked_for_it(store, folder):
    go(store, toy_trials(folder, "quick"))
    outcome = go(store, toy_trials(folder, "smoke"))
    assert outcome.skipped == 2
    presets = sorted(record["presets"] for record in store.read_local("toy").by_key.values())
    assert presets == [["quick"], ["quick"], ["smoke", "quick"], ["smoke", "quick"]]


def test_results_of_another_version_of_the_file_are_told(store, tmp_path):
    go(store, toy_trials(write_toy(tmp_path / "a")))
    outcome = go(store, toy_trials(write_toy(tmp_path / "b", source=TOY + "\n# changed\n")))
    assert (outcome.skipped, outcome.outdated) == (2, 2)


def test_a_failure_without_words_is_told_by_its_type(store, tmp_path):
    source = TOY.replace('raise ValueError("a <bad> thing")', "raise MemoryError")
    outcome = go(store, toy_trials(write_toy(tmp_path, source=source), mode="fail"))
    assert outcome.failures == ["toy: MemoryError"]


def test_results_from_another_content_of_a_users_file_are_told(store, tmp_path):
    source = TOY + "\n\ndef files(setting):\n    return [setting['mode']] if setting['mode'] != 'plain' else []\n"
    folder, text = write_toy(tmp_path / "toys", source=source), tmp_path / "mine.txt"
    for content, outdated in (("one", 0), ("one", 0), ("other", 2)):
        text.write_text(content)
        outcome = go(store, toy_trials(folder, mode=str(text)))
        assert outcome.outdated == outdated
    assert not go(store, toy_trials(folder)).outdated
    assert toy_trials(folder, mode=str(tmp_path / "none.txt"))[0].code != toy_trials(folder)[0].code
    broken = write_toy(tmp_path / "broken", source=TOY + "\n\ndef files(setting):\n    return 3\n")
    with pytest.raises(UserError, match=r"files\(.*\) raised TypeError"):
        toy_trials(broken)


@pytest.mark.parametrize(
    "answer", ["return [3]", "return 2 * [compare('a', '', '', published=1, tolerance=0, measured=1)]"]
)
def test_a_check_whose_claims_are_none_is_told(store, tmp_path, answer):
    source = TOY.replace("    half = df", f"    {answer}\n    half = df") + "\nCHECKS = True\n"
    trials = toy_trials(write_toy(tmp_path / "checks", source=source))
    go(store, trials)
    with pytest.raises(UserError, match=r"claims\(\) raised"):
        campaign.unmet(store, trials)


def test_a_plan_has_each_trial_once_and_the_options_that_make_it(folder, tmp_path):
    cell = tmp_path / "cell.py"
    cell.write_text("")
    toy = find_experiments(folder)["toy"]
    trials = campaign.plan([toy, toy], "smoke", "cpu", 3, {"rho": ["0.1", "0.1"]}, (cell,))
    assert [trial.setting["rho"] for trial in trials] == [0.1]
    assert trials[0].options == "--set rho=0.1,0.1 --experiments toys --cells cell.py"
    with pytest.raises(UserError, match="unknown setting 'nope'"):
        campaign.plan([toy], "smoke", "cpu", 0, {"nope": ["1"]})


def test_commit_takes_the_sweep_and_drops_what_it_no_longer_has(store, folder, tmp_path):
    trials = toy_trials(folder, "quick")
    go(store, trials)
    (path,) = campaign.commit(store, trials, whole=True)
    first = path.read_bytes()
    assert len(store.read_committed("toy").by_key) == 4
    assert campaign.commit(store, trials, whole=True) == [path] and path.read_bytes() == first

    extra = toy_trials(folder, "smoke", rho="0.1")
    go(store, extra)
    campaign.commit(store, extra, whole=False)
    assert len(store.read_committed("toy").by_key) == 5

    shorter = toy_trials(write_toy(tmp_path / "shorter", source=TOY.replace("(0.5, 2.0)", "(0.5,)")), "quick")
    campaign.commit(store, shorter, whole=True)
    settings = [record["setting"]["rho"] for record in store.read_committed("toy").by_key.values()]
    assert sorted(settings) == [0.1, 0.5, 0.5]


def test_a_committed_trial_stands_for_the_committed_preset_only(store, folder):
    go(store, toy_trials(folder, "smoke"))
    trials = toy_trials(folder, "quick")
    go(store, trials)
    campaign.commit(store, trials, whole=True)
    assert {tuple(r["presets"]) for r in store.read_committed("toy").by_key.values()} == {("quick",)}
    campaign.commit(store, toy_trials(folder, "smoke"), whole=True)
    presets = sorted(r["presets"] for r in store.read_committed("toy").by_key.values())
    assert presets == [["quick"], ["quick"], ["smoke", "quick"], ["smoke", "quick"]]


def test_status_counts(store, folder):
    experiments = [find_experiments(folder)["toy"]]
    none = {"done": 0, "diverged": 0, "failed": 0, "damaged": 0, "committed": 0, "running": 0}
    (row,), problems = count(store, experiments)
    assert row == {"experiment": "toy", "preset": "smoke", "to_do": 2, **none} and not problems

    go(store, toy_trials(folder))
    trials = toy_trials(folder, mode="fail,diverge")
    go(store, trials)
    (row,), problems = count(store, experiments)
    assert row == {"experiment": "toy", "preset": "smoke", "to_do": 0} | none | {
        "done": 2,
        "failed": 2,
        "diverged": 2,
    }

    store.local_path("toy", toy_trials(folder)[0].key).write_text("")
    (row,), problems = count(store, experiments)
    assert (row["damaged"], row["to_do"], row["done"]) == (1, 1, 1) and len(problems) == 1


def test_status_tells_what_a_live_run_works_on(store, folder):
    keys = [trial.key for trial in toy_trials(folder, "paper")]
    experiments = [find_experiments(folder)["toy"]]
    go(store, toy_trials(folder, "paper")[:1])
    with announced(store, keys, 2):
        (row,), _ = count(store, experiments)
        assert (row["preset"], row["running"], row["to_do"], row["done"]) == ("paper", 2, 3, 1)
    (row,), _ = count(store, experiments)
    assert (row["running"], row["to_do"]) == (0, 5)


def test_what_ends_while_status_counts_is_done_and_no_longer_running(store, folder, monkeypatch):
    trials = toy_trials(folder)
    go(store, trials)
    monkeypatch.setattr(status, "_next", lambda *_: [trial.key for trial in trials])
    with announced(store, [trial.key for trial in trials], 2):
        (row,), _ = count(store, [find_experiments(folder)["toy"]])
    assert (row["to_do"], row["running"], row["done"]) == (0, 0, 2)


def test_notes_of_dead_runs_are_removed(store):
    with announced(store, ["k"], 1):
        (note,) = (store.local / ".running").iterdir()
        alive = json.loads(note.read_text())
        assert in_hand(store) == [(1, ["k"])]
        later = alive | {"began": "7"}  # the number of the process has another one now
        ended = alive | {"pid": 4194305}  # above the largest pid
        odd = ("half", "[1]", "{}", '{"pid": 1e30, "began": null}', '{"pid": 1' + 30 * "0" + ', "began": 1}')
        for text in (json.dumps(later), json.dumps(ended), *odd):
            note.write_text(text)
            assert in_hand(store) == [] and not note.exists()


def test_a_killed_run_is_not_running_even_before_its_parent_knows(store):
    code = (
        "import pathlib, sys, time\n"
        "from rnnbench.runner import running, store\n"
        "with running.announced(store.Store(pathlib.Path(sys.argv[1])), ['k'], 1):\n"
        "    print(flush=True)\n"
        "    time.sleep(100)"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(store.root)], stdout=subprocess.PIPE)
    with run:
        run.stdout.readline()
        assert in_hand(store) == [(1, ["k"])]
        run.kill()
        os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)
        assert in_hand(store) == [] and not list((store.local / ".running").iterdir())


def test_notes_are_no_results(store):
    with announced(store, ["k"], 1):
        assert store.experiments() == []


def test_a_pool_resumes_what_one_process_began(store, folder):
    go(store, toy_trials(folder, "smoke"))
    pool = functools.partial(executors.pool, workers=2, prepare=print)
    outcome = campaign.run(store, toy_trials(folder, "quick"), pool, workers=2)
    assert outcome.counts["ok"] == 2 and outcome.skipped == 2
