"""Sentence encoders of the BERT kind, under CTranslate2: conversion of their weights, and vectors.

PyTorch and transformers are not needed: the weights are read from a ``model.safetensors`` as numpy
arrays and given to CTranslate2's own specification of the model.

Sources: https://github.com/huggingface/safetensors#format and ``BertLoader`` in
https://github.com/OpenNMT/CTranslate2/blob/master/python/ctranslate2/converters/transformers.py
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sessions_app.engines.failures import EngineMisconfigured

NEEDED: Final = ("model.safetensors", "config.json", "tokenizer.json")
_DTYPES: Final = {"F32": np.float32, "F16": np.float16}
_PART: Final = 16
"""Texts in one pass: the shortest of a request together, so that few tokens are padding."""

Weights = Mapping[str, npt.NDArray[Any]]


def convert(source: Path, target: Path) -> None:
    """Write the model in directory ``source`` into ``target``, in 8-bit integers.

    Raises EngineMisconfigured: it is no such model. OSError: it cannot be read or written.
    """
    import ctranslate2
    from ctranslate2.specs import common_spec, transformer_spec

    config = json.loads((source / "config.json").read_text())
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        raise EngineMisconfigured(f"{source} holds no encoder of the BERT kind")
    weights = _weights(source / "model.safetensors")
    layers = int(config["num_hidden_layers"])
    spec = transformer_spec.TransformerEncoderModelSpec(
        transformer_spec.TransformerEncoderSpec(
            layers,
            int(config["num_attention_heads"]),
            pre_norm=False,
            activation=common_spec.Activation.GELU,
            layernorm_embedding=True,
            num_source_embeddings=2,
            embeddings_merge=common_spec.EmbeddingsMerge.ADD,
        )
    )
    _fill(spec, weights, layers)
    spec.config.layer_norm_epsilon = float(config["layer_norm_eps"])
    spec.config.unk_token = "[UNK]"  # noqa: S105 - the name of a token of the vocabulary
    spec.register_vocabulary(_vocabulary(source, int(config["vocab_size"])))
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(target))
    assert ctranslate2.contains_model(str(target))


def _vocabulary(source: Path, size: int) -> list[str]:
    """The tokens by their numbers. Only their count matters: texts are encoded by the tokenizer."""
    known = json.loads((source / "tokenizer.json").read_text())["model"]["vocab"]
    # WordPiece: numbers by tokens; Unigram: pairs of a token and its probability.
    tokens = (
        sorted(known, key=known.__getitem__)
        if isinstance(known, dict)
        else [each[0] for each in known]
    )
    return tokens + [f"<extra_{number}>" for number in range(size - len(tokens))]


def _fill(spec: Any, weights: Weights, layers: int) -> None:
    from ctranslate2.converters import utils
    from ctranslate2.specs import common_spec

    def linear(part: Any, name: str) -> None:
        part.weight, part.bias = weights[f"{name}.weight"], weights[f"{name}.bias"]

    def norm(part: Any, name: str) -> None:
        part.gamma, part.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]

    encoder = spec.encoder
    encoder.scale_embeddings = False
    encoder.embeddings[0].weight = weights["embeddings.word_embeddings.weight"]
    encoder.embeddings[1].weight = weights["embeddings.token_type_embeddings.weight"]
    encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]
    norm(encoder.layernorm_embedding, "embeddings.LayerNorm")
    for number, part in zip(range(layers), encoder.layer, strict=True):
        layer = f"encoder.layer.{number}"
        attention = [common_spec.LinearSpec() for _ in range(3)]
        for each, name in zip(attention, ("query", "key", "value"), strict=True):
            linear(each, f"{layer}.attention.self.{name}")
        utils.fuse_linear(part.self_attention.linear[0], attention)
        linear(part.self_attention.linear[1], f"{layer}.attention.output.dense")
        norm(part.self_attention.layer_norm, f"{layer}.attention.output.LayerNorm")
        linear(part.ffn.linear_0, f"{layer}.intermediate.dense")
        linear(part.ffn.linear_1, f"{layer}.output.dense")
        norm(part.ffn.layer_norm, f"{layer}.output.LayerNorm")


def _weights(path: Path) -> Weights:
    """The arrays of a safetensors file: a length, names and places in JSON, and their bytes."""
    content = np.memmap(path, np.uint8, "r")
    begin = 8 + int.from_bytes(content[:8].tobytes(), "little")
    entries = json.loads(content[8:begin].tobytes())
    found = {}
    for name, entry in entries.items():
        if name != "__metadata__" and entry["dtype"] in _DTYPES:
            first, last = entry["data_offsets"]
            array = content[begin + first : begin + last].view(_DTYPES[entry["dtype"]])
            found[name] = np.array(array, np.float32).reshape(entry["shape"])
    return found


class SentenceEncoder:
    """A converted model. Thread-safe."""

    def __init__(self, directory: Path, *, threads: int, max_tokens: int) -> None:
        import ctranslate2
        from tokenizers import Tokenizer

        self._encoder = ctranslate2.Encoder(
            str(directory), compute_type="int8", inter_threads=1, intra_threads=threads
        )
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The mean of each text's token vectors: float32, (texts, dimensions)."""
        tokens = [each.ids for each in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(tokens)), key=lambda place: len(tokens[place]))
        rows: list[npt.NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(tokens)
        for at in range(0, len(order), _PART):
            part = order[at : at + _PART]
            states = self._encoder.forward_batch([tokens[place] for place in part])
            hidden = np.array(states.last_hidden_state)
            for row, place in zip(hidden, part, strict=True):
                rows[place] = row[: len(tokens[place])].mean(axis=0)
        return np.stack(rows)
