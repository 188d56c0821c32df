"""Settings shared by all tests."""

import os
from contextlib import nullcontext

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("MPLBACKEND", "Agg")

# The same few examples on every run: compiling takes any deadline away, and a gate must not be a lottery.
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=25,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# For a search by hand: HYPOTHESIS_PROFILE=long python -m pytest ...
settings.register_profile("long", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture
def not_alone(monkeypatch):
    """For experiments that measure times: tests measure nothing, so they need not wait for each other or for a run."""
    from rnnbench.peers import measure

    monkeypatch.setattr(measure, "alone", nullcontext)


def pytest_addoption(parser):
    parser.addoption("--fast", action="store_true", help="tests of cells alone, one cell per feature of the contract")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config, items):
    """Tests with a string parameter `cell` go to one worker per cell, so that each cell is compiled once."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        cell = callspec.params.get("cell") if callspec else None
        if isinstance(cell, str) and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(f"cell-{cell}"))

    engine, fast = [item for item in items if item.get_closest_marker("engine")], config.getoption("--fast", False)
    if engine or fast:
        import features  # it makes every cell once

    for item in engine:
        if not features.stays(item):
            item.add_marker(pytest.mark.slow)
    if fast:
        left_out = [item for item in items if not features.stays(item)]
        items[:] = [item for item in items if features.stays(item)]
        config.hook.pytest_deselected(items=left_out)
