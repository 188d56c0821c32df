"""Sequence to sequence: an encoder reads one sequence, a decoder with parameters of its own writes another."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments, sequences
from rnnbench.layers import parts as of
from rnnbench.layers.chain import Chain
from rnnbench.layers.decoder import Decoder
from rnnbench.layers.embedding import Embedding
from rnnbench.layers.layer import Layer
from rnnbench.layers.recurrent import Recurrent
from rnnbench.layers.scan import Scan


class Encoder(Chain):
    """Reads symbols (S, B): an embedding and a recurrent layer, whose final state is what was read.

    Parameters
    ----------
    vocabulary, embedding_size, hidden_size : int
        V, E and H >= 1.
    cell : str or Cell
    reverse : bool
        Read every row from its end to its start (Sutskever et al. 2014).
    dtype, device, seed, **options
        As for :class:`~rnnbench.layers.recurrent.Recurrent`.
    """

    def __init__(
        self, vocabulary, embedding_size, hidden_size, *, cell="lstm", reverse=False, dtype="float32", device="cpu",
        seed=0, **options,
    ):  # fmt: skip
        rngs, replicas = arguments.generators(seed)
        shared = {"dtype": dtype, "seed": of.seed(rngs, replicas)}
        embedding = Embedding(vocabulary, embedding_size, **shared)
        recurrent = Recurrent(cell, embedding_size, hidden_size, device=device, **shared, **options)
        super().__init__(embedding=embedding, recurrent=Scan(recurrent, reverse=reverse))


class EncoderDecoder(Layer):
    """An encoder and a decoder, trained with teacher forcing.

    ``forward((source, target))`` takes symbols (S, B) and (T, B) and returns the logits (T, B, V) of the target, each
    step given the source and the target's symbols before it; the decoder's first input is <EOS>. `lengths` is a pair of
    those of source and target. Both sequences are to end in <EOS> where the network shall see and learn their ends:
    see :func:`ended`.

    The encoder's final state is the decoder's initial one, and with attention its outputs are the decoder's memory. To
    generate, start from :meth:`encode`::

        state = network.encode(source)
        written = generate.greedy(network.decoder, np.full((1, B), network.eos), steps, state=state, stop=network.eos)

    Parameters
    ----------
    encoder : Encoder, or any layer of symbols that has a part "recurrent"
    decoder : Decoder
        Of the same cell and width. Networks may share either: see :class:`Languages`.
    eos : int
        The symbol <EOS> of the decoder's vocabulary.

    Notes
    -----
    Source: I. Sutskever, O. Vinyals and Q. V. Le, Sequence to Sequence Learning with Neural Networks, NeurIPS 2014; K.
    Cho et al., Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation, EMNLP
    2014.
    """

    takes_symbols = True

    def __init__(self, encoder, decoder, *, eos=0):
        if not isinstance(decoder, Decoder):
            raise TypeError(f"decoder: got {type(decoder).__name__}, expected a Decoder")
        parts = of.together({"encoder": encoder, "decoder": decoder})
        super().__init__(dtype=encoder.dtype, replicas=encoder.replicas)
        _refuse_unlike(encoder, decoder)
        self.parts = parts
        self.encoder, self.decoder = encoder, decoder
        self.output_size = decoder.output_size
        self.eos = arguments.integer("eos", eos, 0)
        if self.eos >= decoder.input_size:
            raise ValueError(f"eos: got {eos}, expected a symbol of the decoder, 0 to {decoder.input_size - 1}")

    def __repr__(self) -> str:
        return f"EncoderDecoder({self.encoder!r}, {self.decoder!r}, eos={self.eos})"

    def encode(self, source, *, lengths=None):
        """Return the state that the decoder starts from, having read `source` (S, B)."""
        return self._encode(source, lengths, False)[0]

    def _encode(self, source, lengths, keep):
        outputs, final, *tape = self.encoder.forward(source, lengths=lengths, tape=keep)
        state = {"recurrent": final["recurrent"]}
        if self.decoder.attends:
            steps, rows = outputs.shape[-3:-1]
            lengths = np.full(rows, steps) if lengths is None else np.array(lengths)
            state |= {"memory": outputs, "lengths": lengths[:, None]}
        return state, tape

    def _forward(self, x, state, lengths, keep):
        source, target = sequences.pair("x", x, "source", "target")
        if state is not None:
            raise ValueError("state: got one, expected None: the encoder makes it")
        lengths = (None, None) if lengths is None else sequences.pair("lengths", lengths, "of source", "of target")
        source = sequences.symbols("source", source, self.encoder.input_size, self.lead)
        target = sequences.symbols("target", target, self.decoder.input_size, self.lead)
        sequences.same_rows("source", source.shape[-1], "target", target.shape[-1])
        state, of_encoder = self._encode(source, lengths[0], keep)
        before = np.full_like(target, self.eos)
        before[..., 1:, :] = target[..., :-1, :]
        y, final, *of_decoder = self.decoder.forward(before, state, lengths=lengths[1], tape=keep)
        return y, final, (of_encoder, of_decoder)

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        (of_encoder,), (of_decoder,) = tape.saved
        _, dinitial = self.decoder.backward(dy, dstate, tape=of_decoder, truncate=truncate)
        self._use(tape)
        dread = {"recurrent": dinitial["recurrent"]}
        self.encoder.backward(dinitial.get("memory"), dread, tape=of_encoder, truncate=truncate, need_dx=False)
        return None, {}


class Languages(Layer):
    """Encoders and decoders of several languages, each shared by all pairs that it is in.

    Every encoder writes, and every decoder reads, one common representation, so that pairs never trained together can
    be translated. ``languages.pair("en", "fr")`` is an :class:`EncoderDecoder` of the parts; the parameters and
    gradients of `languages` are those of all parts, each once.

    Parameters
    ----------
    encoders, decoders : dict of {language: Encoder or Decoder}
    eos : int

    Notes
    -----
    Sources: R. Grosse, Lecture 7: Recurrent Neural Nets, section 4.2; O. Firat, K. Cho and Y. Bengio, Multi-Way,
    Multilingual Neural Machine Translation with a Shared Attention Mechanism, NAACL 2016.
    """

    takes_symbols = True

    def __init__(self, encoders, decoders, *, eos=0):
        parts = {f"encoder_{name}": part for name, part in encoders.items()}
        parts = of.together(parts | {f"decoder_{name}": part for name, part in decoders.items()})
        first = next(iter(parts.values()))
        super().__init__(dtype=first.dtype, replicas=first.replicas)
        self.parts, self.eos = parts, eos
        self.pairs = {(a, b): EncoderDecoder(encoders[a], decoders[b], eos=eos) for a in encoders for b in decoders}

    def pair(self, source, target):
        """Return the network from one language to another."""
        if (source, target) not in self.pairs:
            raise ValueError(f"pair: got {(source, target)}, expected one of {list(self.pairs)}")
        return self.pairs[source, target]

    def _forward(self, x, state, lengths, keep):
        raise TypeError("Languages: several networks, expected languages.pair(source, target).forward(...)")


def ended(x, lengths, eos):
    """Return symbols (T, B) of the given lengths with <EOS> after each row's end, (T + 1, B), and their lengths."""
    steps, rows = x.shape
    lengths = np.full(rows, steps) if lengths is None else arguments.row_order(lengths, steps, rows)[0]
    out = np.concatenate([x, np.full((1, rows), eos, x.dtype)])
    out[np.arange(steps + 1)[:, None] >= lengths] = eos
    return out, lengths + 1


def _refuse_unlike(encoder, decoder):
    """Refuse an encoder whose states the decoder cannot start from."""
    recurrent = encoder.parts.get("recurrent")
    if not isinstance(recurrent, Recurrent | Scan):
        raise ValueError(f"encoder: got parts {list(encoder.parts)}, expected a recurrent layer 'recurrent' among them")
    layouts = [next(part._tree())[1].layout for part in (recurrent, decoder.parts["recurrent"])]
    of_encoder, of_decoder = ({n: (one.lags[n], one.widths[n]) for n in one.states} for one in layouts)
    if of_encoder != of_decoder:
        told = [", ".join(f"{n} of {width}" for n, (_, width) in one.items()) for one in (of_encoder, of_decoder)]
        raise ValueError(f"encoder ends with states {told[0]}, but decoder starts from {told[1]}, expected the same")
    if not of_encoder:
        raise ValueError(f"encoder: its cell {layouts[0].cell.name!r} keeps no state for the decoder to start from")
    if decoder.attends and decoder.memory_size != encoder.output_size:
        raise ValueError(f"encoder gives a memory of {encoder.output_size}, but decoder takes {decoder.memory_size}")
