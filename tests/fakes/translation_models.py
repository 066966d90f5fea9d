"""Tiny translation models, converted for CTranslate2, with random weights."""

import io
import json
from pathlib import Path

import ctranslate2
import numpy as np
import sentencepiece
from ctranslate2.specs import common_spec, transformer_spec

_WIDTH = 16
_TEXT = [
    "hello how are you today", "my order has not arrived yet", "i want to change my address",
    "hola como estas hoy", "mi pedido no ha llegado", "quiero cambiar mi direccion",
] * 20  # fmt: skip


def make_model(directory: Path, special: tuple[str, ...] = (), *, adds_end: bool = True) -> Path:
    """A converted model in ``directory``; ``special`` are the marks of its languages."""
    directory.mkdir(parents=True)
    pieces = _train_pieces(directory / "source.spm")
    vocabulary = ["<s>", "</s>", "<unk>", *(p for p in pieces if not p.startswith("<")), *special]
    spec = transformer_spec.TransformerSpec.from_config(1, 2)
    _fill(spec, len(vocabulary))
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.config.add_source_eos = adds_end
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(directory))
    return directory


def read_config(directory: Path) -> dict[str, object]:
    config: dict[str, object] = json.loads((directory / "config.json").read_text())
    return config


def _train_pieces(path: Path) -> list[str]:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_TEXT), model_writer=model, vocab_size=60, minloglevel=2,
        hard_vocab_limit=False,
    )  # fmt: skip
    path.write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return [processor.id_to_piece(index) for index in range(processor.get_piece_size())]


def _fill(spec: transformer_spec.TransformerSpec, words: int) -> None:
    random = np.random.default_rng(1)

    def weights(*shape: int) -> np.ndarray:
        return random.normal(0, 0.1, shape).astype(np.float32)

    def linear(layer: common_spec.LinearSpec, out: int, width: int = _WIDTH) -> None:
        layer.weight, layer.bias = weights(out, width), np.zeros(out, np.float32)

    def norm(layer: common_spec.LayerNormSpec) -> None:
        layer.gamma, layer.beta = np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32)

    def feed_forward(layer: transformer_spec.FeedForwardSpec) -> None:
        norm(layer.layer_norm)
        linear(layer.linear_0, 4 * _WIDTH)
        linear(layer.linear_1, _WIDTH, 4 * _WIDTH)

    positions = weights(512, _WIDTH)
    for side in (spec.encoder, spec.decoder):
        side.position_encodings.encodings = positions
        norm(side.layer_norm)
        for layer in side.layer:
            norm(layer.self_attention.layer_norm)
            linear(layer.self_attention.linear[0], 3 * _WIDTH)
            linear(layer.self_attention.linear[1], _WIDTH)
            feed_forward(layer.ffn)
    for layer in spec.decoder.layer:
        norm(layer.attention.layer_norm)
        linear(layer.attention.linear[0], _WIDTH)
        linear(layer.attention.linear[1], 2 * _WIDTH)
        linear(layer.attention.linear[2], _WIDTH)
    spec.encoder.embeddings[0].weight = weights(words, _WIDTH)
    spec.decoder.embeddings.weight = weights(words, _WIDTH)
    linear(spec.decoder.projection, words)


assert ctranslate2.__version__
