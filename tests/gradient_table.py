"""Print the worst error of the gradient check of every cell: ``python tests/gradient_table.py`` [--markdown]."""

import sys

import gradients
from helpers import CASES


def rows():
    """Yield (cell with options, method, worst relative error, the array it was found in)."""
    for case in CASES:
        cell = case.build()
        found = gradients.errors(gradients.check_problem(cell))
        worst = max(found, key=found.get)
        yield str(case), gradients.method_for(cell), found[worst], worst


def main(markdown=False):
    """Print the table."""
    table = [("cell", "method", "worst relative error", "of"), *((a, b, f"{c:.1e}", d) for a, b, c, d in rows())]
    widths = [max(len(row[i]) for row in table) for i in range(4)]
    for number, row in enumerate(table):
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        print("| " + " | ".join(cells) + " |" if markdown else "  ".join(cells).rstrip())
        if markdown and number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


if __name__ == "__main__":
    main("--markdown" in sys.argv[1:])
