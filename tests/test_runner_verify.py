"""`rnnbench verify`: what it finds, and that it finds it."""

import json
import sys

import pytest
from test_runner_search import SEARCHING
from toy_experiments import toy_trials, write_toy

from rnnbench.runner import campaign, executors
from rnnbench.runner.discovery import find_experiments
from rnnbench.runner.record import checksum
from rnnbench.runner.store import Store
from rnnbench.runner.verify import BAD, GOOD, TOLD, verify


@pytest.fixture
def made(tmp_path):
    """A folder with a toy, its committed results, and a function that verifies them."""
    folder = write_toy(tmp_path / "toys", source=SEARCHING)
    store = Store(tmp_path / "results")
    for preset in ("quick", "search"):
        trials = toy_trials(folder, preset)
        campaign.run(store, trials, executors.serial)
        campaign.commit(store, trials, whole=True)

    def findings(**options):
        own = {"toy": find_experiments(folder)["toy"]}
        return [(found.level, found.words) for found in verify(store, own, **options)]

    return folder, store, findings


def problems(found):
    return [words for level, words in found if level == BAD]


def test_good_results_come_out_the_same_to_the_bit(made):
    found = made[2](trials=3)
    assert not problems(found)
    assert sum(words.endswith("the same to the bit") for level, words in found if level == GOOD) == 3
    assert (GOOD, "12 trials, their checksums and schema are right") in found


def altered(store, change):
    """Change every committed trial, and seal it again as if nothing had been."""
    path = store.committed_path("toy")
    table = json.loads(path.read_text())
    for line in table["trials"]:
        change(line)
        whole = {"schema": 1, "experiment": "toy", **line} | {"provenance": table["provenance"][line["provenance"]]}
        line["checksum"] = checksum(whole)
    path.write_text(json.dumps(table))


def test_a_number_that_is_not_what_comes_out_is_found(made):
    def shift(line):
        line["rows"][0]["noise"][1] += 1e-3

    altered(made[1], shift)
    found = problems(made[2](trials=2))
    assert len(found) == 2 and all("noise differs by" in words for words in found)
    assert all("made in the same circumstances" in words for words in found)
    assert not problems(made[2](trials=0))


def test_rounding_is_no_difference(made):
    def shift(line):
        line["rows"][0]["noise"] = [value * (1 + 1e-9) for value in line["rows"][0]["noise"]]

    altered(made[1], shift)
    found = made[2](trials=2)
    assert not problems(found) and sum("the same to 1e-09" in words for _, words in found) == 2


def test_other_columns_other_lengths_and_other_statuses_are_found(made):
    def rename(line):
        line["rows"][0]["other"] = line["rows"][0].pop("noise")

    def diverge(line):
        line["status"] = "diverged"

    altered(made[1], rename)
    assert "what was measured differs" in problems(made[2](trials=1))[0]
    altered(made[1], diverge)
    assert not problems(made[2](trials=1))  # only what ended well is run again


def test_another_processor_is_told_beside_a_difference(made):
    def shift(line):
        line["rows"][0]["norm"][0] = 7.0

    path = made[1].committed_path("toy")
    table = json.loads(path.read_text())
    for provenance in table["provenance"]:
        provenance["cpu"] = "Babbage"
    path.write_text(json.dumps(table))
    altered(made[1], shift)
    assert "made with another cpu" in problems(made[2](trials=1))[0]


def test_a_choice_that_is_not_used_is_found(made):
    path = made[0] / "toy.py"
    path.write_text(path.read_text().replace('CHOSEN = {"toy": 2.0}', 'CHOSEN = {"toy": 0.5}'))
    sys.modules.pop("rnnbench_user_experiments.toy")
    found = made[2](trials=0)
    assert problems(found) == ["its search has chosen other settings than it uses (toy: 2.0, used is 0.5)"]
    assert (TOLD, "12 of 12 trials were made by another version of the experiment's file") in found


def test_choices_without_their_search_are_told(made):
    store = made[1]
    quick = [r for r in store.read_committed("toy").by_key.values() if r["presets"] == ["quick"]]
    store.commit("toy", quick)
    assert (TOLD, "the results of the search that chose its settings are not here") in made[2](trials=0)


def test_what_a_search_chooses_for_a_users_cell_is_no_other_choice(made, tmp_path):
    folder, store, findings = made
    store.committed_path("toy").unlink()
    for path in (store.local / "toy").glob("*.json"):
        path.unlink()
    cell = tmp_path / "mine.py"
    cell.write_text("")
    one = {"rho": ["0.5"]}  # of which the search would choose another than is used
    trials = campaign.plan([find_experiments(folder)["toy"]], "search", "cpu", 0, one, (cell,))
    campaign.run(store, trials, executors.serial)
    assert not problems(findings(trials=0))


def test_damage_is_a_problem(made):
    path = made[1].committed_path("toy")
    path.write_text(path.read_text().replace('"norm": [1.0', '"norm": [1.5', 1))
    assert "its checksum doesn't fit its content" in problems(made[2](trials=0))[0]


@pytest.fixture
def made_with_a_cell(made, tmp_path):
    """The cell's file, beside four results more, and a function that tells what is said of the code of all of them."""
    folder, store, findings = made
    cell = tmp_path / "mine.py"
    cell.write_text("")
    trials = campaign.plan([find_experiments(folder)["toy"]], "quick", "cpu", 1, {}, (cell,))
    campaign.run(store, trials, executors.serial)
    campaign.commit(store, trials, whole=True)
    return cell, lambda **options: [words for _, words in findings(trials=0, **options) if "file" in words]


def test_results_made_with_cells_are_held_against_the_cells_that_they_name(made_with_a_cell):
    cell, told = made_with_a_cell
    assert told() == ["4 of 16 trials were made with files of cells that were not given: --cells mine.py"]
    assert told(cells=(cell,)) == []
    cell.write_text("# changed")
    (line,) = told(cells=(cell,))
    assert line == "4 of 16 trials were made by another version of the experiment's file or of one of yours"


def test_a_trial_is_run_again_with_its_cells_alone(made, made_with_a_cell):
    cell, _ = made_with_a_cell
    for given, count in (((), 4), ((cell,), 8)):
        assert sum("run again" in words for _, words in made[2](trials=99, cells=given)) == count
