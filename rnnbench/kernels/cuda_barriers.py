"""Where a persistent kernel's grid has to wait, as far as a cell's graph tells: before whoever reads a whole vector."""

from __future__ import annotations

from rnnbench.contract import INPUT, parse
from rnnbench.kernels.cuda_text import sources_of


def forward_barriers(layout) -> tuple[int, ...]:
    """Return the stages before which the grid waits in every step.

    A product reads what other blocks made, so that a barrier has to lie between the two. What is read unit by unit
    was made by the same thread. Barriers of one step also serve products of the next: an LSTM needs one, a GRU with its
    reset before the product two.
    """
    stages = layout.cell.stages
    maker = {name: number for number, stage in enumerate(stages) for name in stage.makes}
    needs = [
        (parse(source)[1], maker[parse(source)[0]], reader)
        for reader, stage in enumerate(stages)
        for source in sources_of(stage)
        if source != INPUT
    ]
    chosen: set[int] = set()
    for lag, made, reader in sorted(needs):
        between = {
            0: {at for at in chosen if made < at <= reader},
            1: {at for at in chosen if made < at or at <= reader},
        }.get(lag, chosen)
        if not between:
            chosen.add(reader)
    return tuple(sorted(chosen))


def products_back(layout, number) -> dict[str, list[int]]:
    """The sources of a stage's products that a gradient goes back to, and the numbers of the gates that use each."""
    smooth = layout.cell.differentiable
    found = sources_of(layout.cell.stages[number])
    return {source: users for source, users in found.items() if source != INPUT and smooth[parse(source)[0]]}


def backward_barriers(layout) -> int:
    """Return how often the grid waits in every step of the way back."""
    due, count = Due(layout), 0
    for number in reversed(range(len(layout.cell.stages))):
        count += bool(due.before(number))
        due.add(number)
    return count + bool(due.rest())


class Due:
    """Stages whose da has been made in this step and has yet to go back through the products, after one barrier."""

    def __init__(self, layout):
        self.layout, self.stages = layout, []

    def add(self, number) -> None:
        """A stage's da is on its way."""
        if products_back(self.layout, number):
            self.stages.append(number)

    def before(self, number) -> list[int]:
        """Return all that is due if a stage, the next one, waits for some of it; else nothing."""
        makes = self.layout.cell.stages[number].makes
        waits = any(
            parse(s)[1] == 0 and parse(s)[0] in makes for n in self.stages for s in products_back(self.layout, n)
        )
        return self.rest() if waits else []

    def rest(self) -> list[int]:
        """Return all that is due, and forget it."""
        found, self.stages = self.stages, []
        return found
