"""Files are there whole or not at all."""

import os

import matplotlib.pyplot as plt
import pytest

from rnnbench.files import whole, write_whole
from rnnbench.report import figures


def stop(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_stops_half_way_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "file.json"
    write_whole(path, "old")
    monkeypatch.setattr(os, step, stop)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.json"]


def test_a_block_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), whole(tmp_path / "folder" / "file", "wb") as file:
        file.write(b"half")
        raise KeyError
    assert os.listdir(tmp_path / "folder") == []


def test_a_text_with_a_name_that_is_no_utf_8(tmp_path):
    write_whole(tmp_path / "file", os.fsdecode(b"\xff"))
    assert (tmp_path / "file").read_text("utf-8") == "\\udcff"


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_figure_that_stops_half_way_leaves_the_old_one(tmp_path, monkeypatch, kind):
    figures.save(plt.figure(figsize=(1, 1)), tmp_path, "one")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert [*before] and not any(name.startswith(".") for name in before)
    real = os.replace

    def replace(source, target):
        if str(target).endswith(kind):
            stop()
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    figure = plt.figure(figsize=(2, 1))
    with pytest.raises(KeyboardInterrupt):
        figures.save(figure, tmp_path, "one")
    assert {path.name for path in tmp_path.iterdir()} == {"one.png", "one.svg"}
    assert (tmp_path / f"one.{kind}").read_bytes() == before[f"one.{kind}"]
