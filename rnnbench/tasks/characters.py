"""Characters: the next character of a text.

`source` is "hello" (this one word: h, e, l, l are read and e, l, l, o predicted) or "grammar" (below); a file of the
user's own is read with `text` = PATH. The alphabet is the text's characters, sorted. `length` counts predictions: a
row is so many characters and one more, of "hello" from its beginning, of a file from anywhere in it, of the grammar
from the beginning of a sentence to wherever that ends.

The grammar writes sentences like "the cats by the lake sleep." and a space: one of four nouns, singular or plural,
any number of places (one of two prepositions, one of four places; each time a coin decides between another and the
verb), one of four verbs. The verb agrees with the noun, however many places stand between: a dependency of unbounded
lag. Wherever the next letter is not certain, it is one of two by a fair coin.

Entropy of the grammar: 2 coins for the noun, 1 for its number, 2 on average for going on to the verb, 3 for the one
place that this makes on average, 2 for the verb: 10 bits a sentence. It has 4 + 3.25 + 0.5 + 1 (the noun and its
article) + 8.5 + 4.25 + 1 (the place) + 4.25 + 0.5 + 2 (the verb) = 29.25 characters on average; so 10 ln 2 / 29.25 =
0.237 nats a character in a long text, which no predictor beats. ``least_loss`` gives the exact value of a row. A row
of a given text is right if every next character has the largest output; of the grammar, if the one or two that may
come next have.

Chance: the naive predictor knows the current character only and says how often each other follows it. After l in
"hello" this is l or o: the loss is 2 ln 2 / 4, and with one guess for both l it is never right. For a file, the mean
over all its windows of that predictor's loss, counted; for the grammar, from its Markov chain as ``_automaton.py``
derives it.

Sources: Elman, Finding Structure in Time, Cognitive Science 1990 (letters of a small grammar's sentences); Sutskever,
Martens and Hinton, Generating Text with Recurrent Neural Networks, ICML 2011. "hello" and its alphabet are the common
lecture example. The grammar is this project's own.
"""

from rnnbench.tasks import _grammar, _options, _sentences, _text

VARIANTS = {"grammar": {"source": "grammar"}, "hello": {"source": "hello"}}


def build(source="grammar", text=None):
    """Build the task; see the module's docstring."""
    source = _options.one_of("source", source, ["grammar", "hello"])
    if text is not None:
        return _text.text_task(_text.read(text), length=50)
    if source == "hello":
        return _text.text_task("hello", length=4, anywhere=False)
    return _grammar.stream_task(_sentences.automaton(), length=50)
