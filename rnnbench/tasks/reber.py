"""Reber: the next symbol of strings from a small grammar.

Every string starts with B and ends with E; between them an automaton writes T, P, S, X and V, choosing with a fair
coin wherever it can go two ways::

    0 -B-> 1     1 -T-> 2, 1 -P-> 3     2 -S-> 2, 2 -X-> 4     3 -T-> 3, 3 -V-> 5
    4 -X-> 3, 4 -S-> 6     5 -P-> 4, 5 -V-> 6     6 -E-> end

`length` counts the strings in a row, written one after another. Each symbol but the first of a row is predicted from
those before it; a row is right if, at every step, the one or two symbols that may come next have the largest outputs.

Entropy: let c(s) be the coins that are still tossed from state s on. c(2) = 2 + c(4), c(3) = 2 + c(5) (a loop is left
at the second attempt on average), c(4) = 1 + c(3)/2 and c(5) = 1 + c(4)/2, hence c(4) = 10/3, c(5) = 8/3, c(2) =
16/3, c(3) = 14/3 and c(1) = 1 + (c(2) + c(3))/2 = 6: six bits a string. Every coin writes a symbol, so a string has 6
+ 2 = 8 of them on average, 7 of them predicted: no predictor gets below 6 ln 2 / 7 = 0.594 a prediction.

Chance: the naive predictor knows the current symbol only and says how often each other follows it; ``_automaton.py``
derives what it loses, 1.164 a prediction for rows of one string. It never gets a string right: the T after B calls
for S and X, but most T lie on the loop of state 3; and as many P lead to state 3 as to state 4, so it cannot rank
what follows.

Sources: Reber, Implicit learning of artificial grammars, Journal of Verbal Learning and Verbal Behavior 1967;
Cleeremans, Servan-Schreiber and McClelland, Finite State Automata and Simple Recurrent Networks, Neural Computation
1989.
"""

from rnnbench.tasks import _grammar, _reber

VARIANTS = {"cleeremans_89": {}}


def build():
    """Build the task; see the module's docstring."""
    return _grammar.string_task(_reber.plain())
