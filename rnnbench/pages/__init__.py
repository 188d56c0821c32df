"""What a reader sees of a cell: a card in the terminal, and a page with typeset equations and its data-flow graph.

All of it is read from the cell's docstring and its contract; a cell's file says nothing about pages.

``docstring`` reads the reST, ``mathml`` sets the equations, ``facts`` counts, ``graph`` says what flows where,
``placement`` gives that places, ``drawing`` makes the SVG, ``card`` and ``build`` put it together.
"""
