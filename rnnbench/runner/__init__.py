"""Trials, their store, the executors and their provenance: the machinery below ``rnnbench run``.

It knows no cell and no kernel. What it runs is an *experiment*: one Python file, named after what it asks,
with a docstring and five functions:

``__doc__``
    First line: the question, which is the title everywhere. Then the method and the sources.
``sweep(preset, device) -> Sequence[Mapping]``
    The settings of a preset ("smoke", "quick", "search", "paper") on a device ("cpu", "cuda"): flat mappings from
    names to JSON scalars (str, int, float, bool, None). An empty sequence says that the preset has nothing
    to run. The names in `rnnbench.runner.settings.RESERVED` belong to the runner; call a repetition
    ``replica``, not ``seed``.
``run(setting, rng) -> list[dict]``
    One trial: the rows it measured, flat, of JSON scalars; NaN and infinities are kept as they are. The
    setting is one of the sweep's, with the trial's ``device`` added. All randomness comes from ``rng``, a
    `numpy.random.Generator`. It may raise `rnnbench.runner.errors.Diverged` (with the rows so far) or
    FloatingPointError, and the trial has the status "diverged"; any other exception makes it "failed". Rows
    with NaN alone don't: the experiment says what diverged.
``claims(df) -> list[Claim]``
    Every published or derived outcome with its verdict; see `rnnbench.runner.claims`. It is also asked with
    an empty frame, and then answers with the same claims, "not yet run".
``figures(df) -> dict[str, tuple[Figure, str]]``, ``tables(df) -> dict[str, tuple[DataFrame, str]]``
    Named figures and tables, each with its caption. Not asked when there are no trials.

More are optional:

``CHOSEN`` and ``choose(df) -> dict``
    What the preset "search" has chosen, as it is used by the other presets, and the function that chooses it from the
    search's trials; ``rnnbench verify`` compares the two. A search's root seeds are its own, so that nothing is chosen
    on the random numbers of what is reported.
``files(setting) -> list of str``
    The user's files that a trial of this setting reads: the results are told apart from those of other contents.
``DEVICES = ("cuda",)``
    The devices that it runs on; without it the processor alone, ``("cpu",)``. On others its sweeps are empty.
``TIMED = True``
    Its rows are times: no other trial runs beside its own, and ``rnnbench verify`` does not run them again.
``CHECKS = True``
    Its claims are about the code that runs, not about the world: ``rnnbench run`` tells those that fail, and fails.

A trial of hours may keep a checkpoint in `rnnbench.runner.scratch.checkpoint()`.

``status`` and ``run`` import the file to ask for its sweep: pandas, matplotlib and the numerics are imported
inside the functions that use them.

``df`` is tidy: one line per row, with the columns of the setting, the columns of the row, and the reserved
ones: experiment, trial (the hash), status, seed (the root seed), preset, device, source ("committed" or
"local"), seconds. A trial without rows (failed, or diverged at once) is one line whose row columns are
missing.

A trial's seed derives from the root seed, the experiment's name and the setting alone. So its result
depends neither on the order of the trials, nor on the number of workers, nor on which other trials run. The
device is left out on purpose: a trial on another device sees the same random numbers.
"""
