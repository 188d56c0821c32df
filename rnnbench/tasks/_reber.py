"""Reber's grammar and what is built around it."""

from __future__ import annotations

from rnnbench.tasks._automaton import Automaton

SYMBOLS = "BTPSXVE"


def plain():
    """Return Reber's automaton."""
    return Automaton(_reber("", after=0), SYMBOLS)


def embedded():
    """Return the automaton of Reber strings between two T or two P."""
    return Automaton(
        {
            0: {"B": "first"},
            "first": {"T": ("T", 0), "P": ("P", 0)},
            **_reber("T", after="T last"),
            **_reber("P", after="P last"),
            "T last": {"T": "end"},
            "P last": {"P": "end"},
            "end": {"E": 0},
        },
        SYMBOLS,
    )


def _reber(label, after):
    """The arrows of Reber's automaton, states called (label, n) but for the one after its end."""
    arrows = {
        0: {"B": 1},
        1: {"T": 2, "P": 3},
        2: {"S": 2, "X": 4},
        3: {"T": 3, "V": 5},
        4: {"X": 3, "S": 6},
        5: {"P": 4, "V": 6},
        6: {"E": 7},
    }

    def name(state):
        if state == 7:
            return after
        return (label, state) if label else state

    return {name(s): {a: name(b) for a, b in choices.items()} for s, choices in arrows.items()}
