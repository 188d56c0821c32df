"""How the cells with a number among their options check it."""


def number(argument, given, expected, accepts):
    """Return the number `given` as a float, or say what was `expected`: what ``accepts(given)`` is true for.

    Raises
    ------
    ValueError
    """
    if isinstance(given, bool) or not isinstance(given, int | float) or not accepts(given):
        raise ValueError(f"{argument}: got {given!r}, expected {expected}")
    return float(given)


def width(argument, given):
    """Return the width of a vector, None standing for the hidden size's.

    Raises
    ------
    ValueError
    """
    if given is not None and (type(given) is not int or given < 1):
        raise ValueError(f"{argument}: got {given!r}, expected an integer >= 1 or None")
    return given
