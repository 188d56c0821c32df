"""The results folder: atomic writes, damage, the committed table."""

import json

import pytest
from test_runner_record import CONTENT

from rnnbench.runner.errors import UserError
from rnnbench.runner.record import key_of, seal
from rnnbench.runner.store import Store, default_results, with_preset


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def record(**changes):
    return seal({**CONTENT, **changes})


def records(number=3):
    return [record(setting={"a": i}, provenance={"commit": None, "threads": i % 2}) for i in range(number)]


def test_what_is_written_is_read(store):
    for one in records():
        store.write(one)
    found = store.read_local("e")
    assert not found.damage
    assert found.by_key == {key_of(one): one for one in records()}
    assert store.experiments() == ["e"]
    assert store.read_local("other").by_key == {}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[: len(text) // 2], "no valid JSON"),
        (lambda text: "", "no valid JSON"),
        (lambda text: "\x00\x01", "no valid JSON"),
        (lambda text: "[]", "no record"),
        (lambda text: "[" * 200_000, "no valid JSON"),
        (lambda text: text.replace('"seconds": 0.5', '"seconds": 0.25'), "checksum"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "schema"),
        (lambda text: text.replace('"seconds": 0.5', '"seconds": NaN'), "JSON"),
    ],
)
def test_a_damaged_file_is_told_and_the_others_are_read(store, damage, reason):
    good, bad = records(2)
    store.write(good)
    store.write(bad)
    path = store.local_path("e", key_of(bad))
    path.write_text(damage(path.read_text()))
    for validated in (True, False):
        found = store.read_local("e", validated)
        assert list(found.by_key) == [key_of(good)]
        assert len(found.damage) == 1 and reason in found.damage[0].reason
        assert str(path) in str(found.damage[0])


def test_binary_rubbish_and_a_folder_are_damage(store):
    folder = store.local / "e"
    folder.mkdir(parents=True)
    (folder / "a.json").write_bytes(b"\xff\xfe\xff")
    (folder / "b.json").mkdir()
    assert len(store.read_local("e").damage) == 2


def test_a_renamed_file_is_damage(store):
    (one,) = records(1)
    store.write(one)
    path = store.local_path("e", key_of(one))
    path.rename(path.with_stem("0123456789abcdef"))
    assert "name" in store.read_local("e").damage[0].reason


def test_a_committed_table_holds_the_very_records(store):
    path = store.commit("e", records())
    assert path == store.root / "e.json"
    assert store.read_committed("e").by_key == {key_of(one): one for one in records()}
    table = json.loads(path.read_text())
    assert len(table["provenance"]) == 2
    assert sum(line.startswith('{"setting"') for line in path.read_text().splitlines()) == 3
    assert store.experiments() == ["e"]


def test_a_committed_table_has_the_same_bytes_in_any_order(store):
    first = store.commit("e", records()).read_bytes()
    assert store.commit("e", reversed(records())).read_bytes() == first


def test_an_altered_line_of_a_table_costs_that_line_only(store):
    path = store.commit("e", records())
    path.write_text(path.read_text().replace('"setting": {"a": 1}', '"setting": {"a": 7}'))
    found = store.read_committed("e")
    assert len(found.by_key) == 2
    assert "trial 2" in found.damage[0].reason and "checksum" in found.damage[0].reason


def test_a_trial_that_stands_twice_in_a_table_is_told(store):
    (one,) = records(1)
    store.commit("e", [one, seal({**one, "seconds": 9.0})])
    found = store.read_committed("e")
    assert list(found.by_key.values()) == [one]
    assert [damage.reason for damage in found.damage] == ["trial 2: its trial stands above already"]


def test_a_table_of_another_schema_says_so(store):
    path = store.commit("e", records())
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
    found = store.read_committed("e")
    assert not found.by_key and [damage.reason for damage in found.damage] == ["its schema is 2, expected 1"]


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\n{}", "{}", "[]", '{"provenance": 1, "trials": 2}'])
def test_a_table_that_is_none_is_damage(store, text):
    store.root.mkdir()
    store.committed_path("e").write_text(text)
    found = store.read_committed("e")
    assert not found.by_key and len(found.damage) == 1


def test_a_file_is_no_results_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="--results got"):
            Store(root).require_writable()
    with pytest.raises(UserError, match="it is a file"):
        Store(tmp_path / "file").require_readable()
    Store(tmp_path / "none").require_readable()


def test_results_of_the_current_folder_come_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    assert default_results() == tmp_path / "results"


def test_presets_are_kept_from_the_smallest():
    assert with_preset(["quick"], "smoke") == ["smoke", "quick"]
    assert with_preset(["quick"], "quick") == ["quick"]
