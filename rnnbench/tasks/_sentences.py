"""The grammar of the characters task: English-like sentences written letter by letter, every choice a fair coin."""

from __future__ import annotations

from rnnbench.tasks._automaton import Automaton

NOUNS = ["cat", "cow", "dog", "duck"]
VERBS = ["sing", "sit", "sleep", "slide"]
PREPOSITIONS = ["by the ", "below the "]
PLACES = ["hill ", "house ", "lake ", "lawn "]


def automaton():
    """Return the automaton: the <noun>[s] (<preposition> <place>)* <verb>[s]. with verb and noun agreeing."""
    arrows = {
        **_spell("the", {"the ": "noun"}),
        **_spell("noun", dict.fromkeys(NOUNS, "number")),
        "number": {" ": "one", "s": "plural"},
        "plural": {" ": "many"},
    }
    for number, ending in (("one", {"s": "stop"}), ("many", {".": "space"})):
        place, agree = f"place {number}", f"agree {number}"
        arrows |= _spell(number, dict.fromkeys(VERBS, agree) | dict.fromkeys(PREPOSITIONS, place))
        arrows |= _spell(place, dict.fromkeys(PLACES, number))
        arrows[agree] = ending
    arrows |= {"stop": {".": "space"}, "space": {" ": "the"}}
    return Automaton(arrows, "".join(sorted({letter for choices in arrows.values() for letter in choices})))


def _spell(start, words):
    """The arrows that spell words, none of them the beginning of another, from a state to each word's own next one."""
    arrows = {start: {}}
    for word, after in words.items():
        state = start
        for n, letter in enumerate(word, 1):
            following = after if n == len(word) else (start, word[:n])
            arrows.setdefault(state, {})[letter] = state = following
    return arrows
