"""How many weights each cell has: by its equations, by its maps, and as the papers print it."""

import numpy as np
import odd_cells
import pytest
from helpers import CASES

from rnnbench import cells
from rnnbench.layout import Layout

# Trained numbers with I inputs, H units and one bias per gate, from the equations of the textbooks and papers.
COUNTS = {
    "antisymmetric": lambda I, H: H * (I + 1) + H * (H - 1) // 2,
    "antisymmetric-gated=True": lambda I, H: 2 * H * (I + 1) + H * (H - 1) // 2,
    "cec": lambda I, H: H * (I + H + 1),
    "clockwork-periods=(1,)": lambda I, H: H * (I + H + 1),
    "deep_transition": lambda I, H: H * (I + H + 1) + H * (H + 1),
    "deep_transition-depth=4": lambda I, H: H * (I + H + 1) + 3 * H * (H + 1),
    "deep_transition-shortcut=True": lambda I, H: H * (I + H + 1) + H * (2 * H + 1),
    "delayed": lambda I, H: H * (I + H + 1),
    "dynamical": lambda I, H: H * (H + 1),
    "elman": lambda I, H: H * (I + H + 1),
    "gru": lambda I, H: 3 * H * (I + H + 1),
    "gru_reset_after": lambda I, H: 3 * H * (I + H + 1) + H,
    "gru_textbook": lambda I, H: 3 * H * (I + H + 1),
    "identity": lambda I, H: H * (I + 1),
    "indrnn": lambda I, H: H * (I + 1) + H,
    "irnn": lambda I, H: H * (I + H + 1),
    "janet": lambda I, H: 2 * H * (I + H + 1),
    "jordan": lambda I, H: H * (I + H + 1) + H * (H + 1),
    "jordan-output_size=3": lambda I, H: H * (I + 3 + 1) + 3 * (H + 1),
    "leaky": lambda I, H: H * (I + H + 1),
    "leaky-trained=True": lambda I, H: H * (I + H + 1) + H,
    "lem": lambda I, H: 4 * H * (I + H + 1),
    "lstm": lambda I, H: 4 * H * (I + H + 1),
    "lstm_1997": lambda I, H: 3 * H * (I + H + 1),
    "lstm_1997-fully_recurrent=True": lambda I, H: 3 * H * (I + 3 * H + 1),
    "lstm_cifg": lambda I, H: 3 * H * (I + H + 1) + 2 * H,
    "lstm_fgr": lambda I, H: 4 * H * (I + H + 1) + 3 * H + 9 * H * H,
    "lstm_linear_output": lambda I, H: 4 * H * (I + H + 1),
    "lstm_nfg": lambda I, H: 3 * H * (I + H + 1) + 2 * H,
    "lstm_niaf": lambda I, H: 4 * H * (I + H + 1) + 3 * H,
    "lstm_nig": lambda I, H: 3 * H * (I + H + 1) + 2 * H,
    "lstm_noaf": lambda I, H: 4 * H * (I + H + 1) + 3 * H,
    "lstm_nog": lambda I, H: 3 * H * (I + H + 1) + 2 * H,
    "lstm_np": lambda I, H: 4 * H * (I + H + 1),
    "lstm_peephole": lambda I, H: 4 * H * (I + H + 1) + 3 * H,
    "lstm_sigmoid_candidate": lambda I, H: 4 * H * (I + H + 1),
    "mgu": lambda I, H: 2 * H * (I + H + 1),
    "min_gru": lambda I, H: 2 * H * (I + 1),
    "minimal_rnn": lambda I, H: H * (I + 1) + H * (2 * H + 1),
    "mut1": lambda I, H: H * (I + 1) + H * (I + H + 1) + H * (I + H + 1),
    "mut2": lambda I, H: 3 * H * (I + H + 1),
    "mut3": lambda I, H: 3 * H * (I + H + 1),
    "orthogonal": lambda I, H: H * (I + 1) + H * (H - 1) // 2,
    "output_hidden": lambda I, H: H * (I + 2 * H + 1) + H * (H + 1),
    "output_hidden-output_size=3": lambda I, H: H * (I + H + 3 + 1) + 3 * (H + 1),
    "scrn": lambda I, H: H * I + H * (I + 2 * H) + H * 2 * H,
    "scrn-context_size=3": lambda I, H: 3 * I + H * (I + H + 3) + H * (H + 3),
    "skip": lambda I, H: H * (I + 2 * H + 1),
    "skip-delay=5": lambda I, H: H * (I + 2 * H + 1),
    "slstm": lambda I, H: 4 * H * (I + H + 1),
    "ugrnn": lambda I, H: 2 * H * (I + H + 1),
}


def by_name(name):
    (case,) = [c for c in CASES if str(c) == name]
    return case


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("sizes", [(5, 7), (0, 1), (1, 64)], ids=str)
def test_weight_count_is_the_textbook_formula(name, sizes):
    assert Layout(by_name(name).build(), *sizes).weight_count() == COUNTS[name](*sizes)


def independent_directions(cell, I=2, H=5):
    """How many directions the matrices used can move in: the rank of the derivative of a cell's weight map."""
    rng = np.random.default_rng(0)
    raw = {key: rng.normal(size=shape) for key, shape in Layout(cell, I, H).weight_shapes.items()}

    def used(values):
        return np.concatenate([value.ravel() for value in (values | dict(cell.weights.forward(values))).values()])

    columns = []
    for key, value in raw.items():
        for step in np.eye(value.size) * 1e-6:
            moved = [used(raw | {key: value + sign * step.reshape(value.shape)}) for sign in (1, -1)]
            columns.append((moved[0] - moved[1]) / 2e-6)
    return np.linalg.matrix_rank(np.array(columns), tol=1e-6)


MAPPED = [str(case) for case in CASES if case.build().weights]


@pytest.mark.parametrize("name", [*MAPPED, "antisymmetric", "squared_weights"])
def test_the_free_numbers_of_a_weight_map_are_those_it_has(name):
    cell = by_name(name).build() if name in MAPPED else getattr(odd_cells, name)()
    assert sum(Layout(cell, 2, 5).free_weights.values()) == independent_directions(cell)


def test_a_weight_map_that_strikes_out_numbers_lowers_the_count():
    assert Layout(odd_cells.antisymmetric(), 3, 4).weight_count() == 4 * 3 + 4 * 3 // 2 + 4
    assert Layout(odd_cells.squared_weights(), 3, 4).weight_count() == 4 * 3 + 4 * 4 + 4


def test_a_clockwork_network_has_the_published_number_of_weights():
    """n^2/2 + nk/2 recurrent ones (section 3 of the paper) for n units in groups of k."""
    periods = tuple(2**k for k in range(8))
    for k in (1, 3, 8):
        layout, n = Layout(cells.get("clockwork", periods=periods), 1, 8 * k), 8 * k
        assert layout.free_weights["weight_hh"] == n**2 / 2 + n * k / 2
    # The Keras model of github.com/flandolfi/clockwork-rnn reports 2497 with its readout of one unit.
    assert layout.weight_count() + 64 + 1 == 2497
