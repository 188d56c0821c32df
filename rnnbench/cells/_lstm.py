"""What the LSTM with peepholes and its variants share: the frame around their gates, and the peepholes' names."""

from rnnbench.contract import Cell, Gate, Stage, UnitParameter, Vector


def peepholes(gates):
    """Return the unit parameters ``peephole_i`` and so on. They start at 0: at first no gate looks at the cell."""
    return tuple(UnitParameter(f"peephole_{gate}") for gate in gates)


def peephole_cell(forward, backward, gates, peepholes_of, year=2017, source="Greff et al. 2017"):
    """Return a cell of one stage that reads c of the step before and makes h and c.

    Parameters
    ----------
    forward, backward
        The stage's functions.
    gates : str
        Those of i, f, g, o that the variant has, in this order.
    peepholes_of : str
        Those of i, f, o that look at the cell, in this order.
    """
    parameters = peepholes(peepholes_of)
    stage = Stage(
        forward,
        backward,
        makes=("h", "c"),
        gates=tuple(Gate(name, ("x", "h")) for name in gates),
        reads=("c",),
        parameters=tuple(p.name for p in parameters),
    )
    return Cell(
        vectors=(Vector("h"), Vector("c")),
        stages=(stage,),
        output="h",
        parameters=parameters,
        year=year,
        source=source,
    )
