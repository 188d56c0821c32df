"""The report on every kind of results folder."""

import re
from html.parser import HTMLParser

import pytest
from toy_experiments import TOY, toy_trials, write_toy

from rnnbench.report.build import build
from rnnbench.report.ledger import merge, tally
from rnnbench.report.views import views_of
from rnnbench.runner import campaign, executors
from rnnbench.runner.claims import compare
from rnnbench.runner.discovery import Experiment
from rnnbench.runner.errors import UserError
from rnnbench.runner.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


@pytest.fixture
def folder(tmp_path):
    return write_toy(tmp_path / "toys")


def experiments(*folders):
    return {
        path.stem: Experiment(path.stem, path, packaged=False)
        for folder in folders
        for path in sorted(folder.glob("*.py"))
    }


def go(store, folder, preset="smoke", commit=False, **overrides):
    trials = toy_trials(folder, preset, **overrides)
    campaign.run(store, trials, executors.serial)
    if commit:
        campaign.commit(store, trials, whole=not overrides)


def made(store, *folders):
    built = build(store, experiments(*folders), store.root.parent / "reports")
    return built, built.page.read_text()


class Balance(HTMLParser):
    """Checks that tags close in order, and remembers all attributes."""

    VOID = ("meta", "br")

    def __init__(self, page):
        super().__init__()
        self.open, self.attributes = [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_no_experiments_at_all(store):
    built, page = made(store)
    assert not built.problems
    assert "no results yet" in page and "--experiments DIR" in page
    Balance(page)


def test_no_results_says_what_to_run_and_lists_the_claims(store, folder):
    built, page = made(store, folder)
    assert not built.problems
    assert "rnnbench run all --preset smoke" in page
    assert "It is a quarter." in page and "not yet run" in page


def test_local_results_only(store, folder):
    go(store, folder)
    built, page = made(store, folder)
    assert not built.problems
    assert "This machine&#39;s smoke run: 2 done, 6 rows." in page
    assert "<svg" in page and "Norm &amp; lag &lt;of a toy&gt;." in page
    assert re.search(r"rnnbench run toy --preset smoke --device cpu --seed 0 --experiments toys", page)
    names = sorted(path.name for path in built.page.parent.rglob("*.*") if path.name != "ledger.csv")
    assert names == [
        "index.html",
        "toy-local-smoke-decay.png",
        "toy-local-smoke-decay.svg",
        "toy-local-smoke-norms.csv",
    ]
    csv = built.page.parent / "tables" / "toy-local-smoke-norms.csv"
    assert csv.read_text() == "rho,norm\n0.5,1.0\n2.0,4.0\n"
    Balance(page)


def test_the_page_is_one_offline_file_and_the_same_each_time(store, folder):
    go(store, folder, "quick", commit=True)
    go(store, folder, mode="fail")
    page = made(store, folder)[1]
    assert made(store, folder)[1] == page
    names = {name for name, _ in Balance(page).attributes}
    assert "src" not in names and "onclick" not in names
    links = {value for name, value in Balance(page).attributes if name in ("href", "xlink:href")}
    assert all(link.startswith(("#", "figures/", "tables/")) for link in links)
    assert "<script" not in page and "@import" not in page and "url(http" not in page


def test_committed_results_only(store, folder, tmp_path):
    elsewhere = Store(tmp_path / "elsewhere")
    go(elsewhere, folder, "quick", commit=True)
    store.root.mkdir()
    (store.root / "toy.json").write_bytes(elsewhere.committed_path("toy").read_bytes())
    built, page = made(store, folder)
    assert not built.problems
    assert "The committed quick run: 4 done, 12 rows." in page and "This machine" not in page


def test_a_smoke_run_stands_beside_the_committed_run_that_counts(store, folder, tmp_path):
    elsewhere = Store(tmp_path / "elsewhere")
    go(elsewhere, folder, "quick", commit=True)
    go(store, folder, "smoke")
    (store.root / "toy.json").write_bytes(elsewhere.committed_path("toy").read_bytes())
    _, page = made(store, folder)
    assert page.index("The committed quick run") < page.index("This machine&#39;s smoke run:")
    assert "this machine&#39;s smoke run: 0.25, reproduced" in page


def names_of(store, folder):
    return [view.name for view in views_of(store, experiments(folder)["toy"])[0]]


def test_the_order_of_belief(store, folder):
    go(store, folder, "smoke")
    go(store, folder, "quick", commit=True)
    # The local runs are what was committed, and aren't shown twice.
    assert names_of(store, folder) == ["the committed quick run"]
    go(store, folder, "smoke", mode="fail")
    assert names_of(store, folder) == ["the committed quick run", "this machine's smoke run"]
    campaign.run(store, toy_trials(folder, "paper")[:5], executors.serial)
    assert names_of(store, folder)[-1] == "this machine's paper run, unfinished"
    go(store, folder, "paper")
    assert names_of(store, folder)[0] == "this machine's paper run"


def test_failed_and_diverged_trials_are_listed(store, folder):
    go(store, folder)
    go(store, folder, mode="fail,diverge")
    built, page = made(store, folder)
    assert not built.problems
    assert "2 done, 2 diverged, 2 failed" in page
    assert "ValueError: a &lt;bad&gt; thing" in page and "<bad>" not in page
    assert "Traceback" in page and "Diverged: too large" in page
    Balance(page)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "    figure = Figure()",
            "    raise RuntimeError('no <ink>')",
            "figures() for this machine's smoke run",
        ),
        ('return {"norms": (df', 'return {"norms": (1 / 0 + df', "tables() for this machine's smoke run"),
        ("    half = df", "    return [1]\n    half = df", "claims() for this machine's smoke run"),
        ("return [compare", "return 2 * [compare", "two claims have the same name"),
        ("measured=measured", "measured=measured, interval=3", "the interval is 3, expected (low, high)"),
        ('return {"decay": (figure', 'return {"decay": (None', "figures() for this machine's smoke run"),
        ("    half = df", "    raise SystemExit(3)\n    half = df", "claims() for this machine's smoke run"),
        ("    return [{", "    return 1 / 0 or [{", "sweep('smoke', 'cpu') raised ZeroDivisionError"),
    ],
)
def test_an_experiment_that_raises_spoils_its_part_only(store, folder, tmp_path, old, new, message):
    go(store, folder)
    assert old in TOY
    broken = write_toy(tmp_path / "broken", source=TOY.replace(old, new))
    built, page = made(store, broken, write_toy(tmp_path / "others", "fine"))
    assert len(built.problems) == 1 and message in built.problems[0]
    assert 'class="problem"' in page and "<ink>" not in page
    assert "rnnbench run fine" in page
    Balance(page)


def test_figures_whose_names_have_no_letters_for_files_have_files_of_their_own(store, folder, tmp_path):
    old = 'return {"decay": (figure, "Norm & lag <of a toy>.")}'
    assert old in TOY
    new = 'return {name: (figure, "") for name in ("α", "β", "a b", "a/b", "a-b-4")}'
    greek = write_toy(tmp_path / "greek", source=TOY.replace(old, new))
    go(store, greek)
    built, page = made(store, greek)
    named = ["a-b", "a-b-4", "a-b-4-5", "unnamed", "unnamed-2"]
    assert sorted(path.stem for path in built.page.parent.glob("figures/*.svg")) == [
        f"toy-local-smoke-{n}" for n in named
    ]
    assert all(f'href="figures/toy-local-smoke-{name}.png"' in page for name in named)
    Balance(page)


def test_an_experiment_that_does_not_load_has_its_section(store, folder, tmp_path):
    go(store, folder)
    built, page = made(store, write_toy(tmp_path / "broken", source="'''Why?'''\n1 / 0"))
    assert "can't be imported: ZeroDivisionError" in built.problems[0]
    assert "<h2>Why?</h2>" in page and "2 done" in page


def test_damage_is_told_and_the_rest_is_shown(store, folder):
    go(store, folder)
    store.local_path("toy", toy_trials(folder)[0].key).write_text("half")
    built, page = made(store, folder)
    assert len(built.problems) == 1 and "no valid JSON" in built.problems[0]
    assert "Damaged files" in page and "1 done, 3 rows" in page


def test_results_without_an_experiment_are_told(store, folder):
    go(store, folder)
    built, page = made(store)
    assert "There are results of toy" in page and not built.problems


def test_an_output_that_is_a_file_is_refused(store, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--output got"):
        build(store, {}, tmp_path / "file")


def claim(name, measured):
    return compare(name, "s", "p", published=1, tolerance=0.1, measured=measured, interval=measured and (0.0, 2.5))


def test_the_ledger_takes_the_first_view_that_measured():
    lines = merge(
        [
            ("first", [claim("a", 1.0), claim("b", None), claim("c", None)]),
            ("second", [claim("a", 2.0), claim("b", 2.0), claim("c", None), claim("d", 3.0)]),
        ]
    )
    told = [(line.claim.name, line.first.view, line.claim.verdict) for line in lines]
    assert told == [
        ("a", "first", "reproduced"),
        ("b", "second", "partly"),
        ("c", "first", "not yet run"),
        ("d", "second", "partly"),
    ]
    assert [other.view for other in lines[0].others] == ["second"]
    assert lines[0].first.shown == "1 [0, 2.5]" and lines[0].published == "1 ± 0.1"
    assert tally(lines) == {"reproduced": 1, "partly": 2, "not reproduced": 0, "not yet run": 1}
