"""What the files of a text model and its tokenizer may say, by tables. Read in a child; no torch.

Only what is listed is copied: a path, a class of somebody's own, or a module to import never reaches transformers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.errors import ModelError
from core.models import kinds
from core.models.json_file import parsed, read_bytes, written
from core.models.kinds import FLAG, NOTHING, Kind, either, matching, number, one_of, several, whole
from core.settings import MODEL_LIMITS

MODEL_TYPES = ("bert", "roberta", "xlm-roberta", "mt5", "m2m_100")

_COUNT = whole(1, MODEL_LIMITS.vocabulary)
_ID = either(whole(0, MODEL_LIMITS.vocabulary), NOTHING)
_LAYERS = whole(1, MODEL_LIMITS.layers)
_WIDTH = whole(1, 4 * MODEL_LIMITS.width)
_RATE = either(number(0, 1), NOTHING)
_ACTIVATION = one_of(
    "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu", "swish", "tanh"
)

# Shapes of encoders. Other keys of a config.json say nothing that an encoder without training needs.
ENCODER: dict[str, Kind] = {
    "model_type": one_of(*MODEL_TYPES),
    "vocab_size": _COUNT,
    "hidden_size": _WIDTH,
    "d_model": _WIDTH,
    "d_kv": _WIDTH,
    "d_ff": _WIDTH,
    "num_hidden_layers": _LAYERS,
    "num_layers": _LAYERS,
    "num_decoder_layers": either(_LAYERS, NOTHING),
    "encoder_layers": _LAYERS,
    "decoder_layers": _LAYERS,
    "num_attention_heads": whole(1, 1024),
    "num_heads": whole(1, 1024),
    "encoder_attention_heads": whole(1, 1024),
    "decoder_attention_heads": whole(1, 1024),
    "intermediate_size": _WIDTH,
    "encoder_ffn_dim": _WIDTH,
    "decoder_ffn_dim": _WIDTH,
    "max_position_embeddings": whole(1, 2**16),
    "type_vocab_size": whole(1, 2**10),
    "relative_attention_num_buckets": whole(1, 2**12),
    "relative_attention_max_distance": whole(1, 2**16),
    "layer_norm_eps": number(1e-15, 1),
    "layer_norm_epsilon": number(1e-15, 1),
    "hidden_act": _ACTIVATION,
    "activation_function": _ACTIVATION,
    "feed_forward_proj": one_of("relu", "gated-gelu", "gated-relu", "gated-silu", "gelu"),
    "position_embedding_type": one_of("absolute", "relative_key", "relative_key_query"),
    "hidden_dropout_prob": _RATE,
    "attention_probs_dropout_prob": _RATE,
    "dropout_rate": _RATE,
    "dropout": _RATE,
    "attention_dropout": _RATE,
    "activation_dropout": _RATE,
    "scale_embedding": FLAG,
    "is_encoder_decoder": FLAG,
    "tie_word_embeddings": FLAG,
    "pad_token_id": whole(0, MODEL_LIMITS.vocabulary),
    "bos_token_id": _ID,
    "eos_token_id": _ID,
    "decoder_start_token_id": _ID,
}

TOKENIZER_CLASSES = tuple(
    name + ending
    for name in (
        "AlbertTokenizer", "BartTokenizer", "BertTokenizer", "BigBirdTokenizer", "CamembertTokenizer", "CLIPTokenizer",
        "DebertaTokenizer", "DebertaV2Tokenizer", "DistilBertTokenizer", "ElectraTokenizer", "GPT2Tokenizer",
        "GemmaTokenizer", "LlamaTokenizer", "M2M100Tokenizer", "MBartTokenizer", "MPNetTokenizer", "NllbTokenizer",
        "PreTrainedTokenizer", "Qwen2Tokenizer", "RobertaTokenizer", "Siglip2Tokenizer", "SiglipTokenizer",
        "T5Tokenizer", "MT5Tokenizer", "XLMRobertaTokenizer", "XLNetTokenizer",
    )
    for ending in ("", "Fast")
) + ("TokenizersBackend",)  # fmt: skip

_WORD = matching(r"(?s).*", "a text", 256)
_TOKEN = either(_WORD, Kind("a token", lambda value: isinstance(value, dict) and _token(value)), NOTHING)
_TOKENS = either(several(_TOKEN, 0, 4096), NOTHING)
_LANGUAGE = either(matching("[A-Za-z_-]{1,32}", "a language code"), NOTHING)

TOKENIZER: dict[str, Kind] = {
    "tokenizer_class": either(one_of(*TOKENIZER_CLASSES), NOTHING),
    **{
        f"{name}_token": _TOKEN for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
    },
    "additional_special_tokens": _TOKENS,
    "extra_special_tokens": _TOKENS,
    "added_tokens_decoder": Kind("an object of tokens by number", lambda value: _numbered(value)),
    "model_max_length": either(number(1, 1e31), NOTHING),
    "extra_ids": whole(0, 4096),
    "do_lower_case": either(FLAG, NOTHING),
    "do_basic_tokenize": either(FLAG, NOTHING),
    "strip_accents": either(FLAG, NOTHING),
    "tokenize_chinese_chars": either(FLAG, NOTHING),
    "clean_up_tokenization_spaces": either(FLAG, NOTHING),
    "add_prefix_space": either(FLAG, NOTHING),
    "add_bos_token": either(FLAG, NOTHING),
    "add_eos_token": either(FLAG, NOTHING),
    "trim_offsets": either(FLAG, NOTHING),
    "legacy": either(FLAG, NOTHING),
    "legacy_behaviour": either(FLAG, NOTHING),
    "split_special_tokens": either(FLAG, NOTHING),
    "errors": one_of("replace", "strict", "ignore"),
    "padding_side": one_of("left", "right"),
    "truncation_side": one_of("left", "right"),
    "src_lang": _LANGUAGE,
    "tgt_lang": _LANGUAGE,
}  # fmt: skip

_CODE = ("auto_map", "custom_pipelines", "trust_remote_code")


def config(data: bytes, name: str) -> bytes:
    """A text model's config.json with the keys of an encoder alone."""
    found = _object(data, name)
    if "model_type" not in found:
        raise ModelError(
            f"{name} does not state its kind of text model (model_type); use the file from the model's release"
        )
    return written(_kept(found, {**ENCODER, "tokenizer_class": TOKENIZER["tokenizer_class"]}, name))


def beside(data: bytes, name: str) -> bytes:
    """The config.json beside a tokenizer: what kind of model it belongs to, and no more."""
    found = _object(data, name)
    known = {key: found[key] for key in ("model_type", "tokenizer_class") if found.get(key) is not None}
    kind = matching("[a-z0-9_-]{1,64}", "the name of a kind of model")
    return written(_kept(known, {"model_type": kind, "tokenizer_class": TOKENIZER["tokenizer_class"]}, name))


def tokenizer_config(data: bytes, name: str) -> bytes:
    """A tokenizer_config.json or special_tokens_map.json with known keys alone."""
    kept = _kept(_object(data, name), TOKENIZER, name)
    if isinstance(kept.get("model_max_length"), int | float) and kept["model_max_length"] > 1e9:
        del kept["model_max_length"]
    return written(kept)


def numbers(data: bytes, name: str) -> bytes:
    """A vocabulary as an object of whole numbers."""
    found = _object(data, name)
    id_of = whole(0, 2 * MODEL_LIMITS.vocabulary)
    if len(found) > 2 * MODEL_LIMITS.vocabulary or not all(id_of.fits(value) for value in found.values()):
        raise ModelError(f"{name} is not a vocabulary: it must give each token a number")
    return written(found)


def tokens(data: bytes, name: str) -> bytes:
    """A tokenizer.json, written again from its value; what it means is tried in a child."""
    found = _object(data, name)
    model = found.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(vocabulary, dict | list) or len(vocabulary) > MODEL_LIMITS.vocabulary:
        raise ModelError(f"{name} has no vocabulary of at most {MODEL_LIMITS.vocabulary:,} entries")
    return written(found)


def lines(data: bytes, name: str) -> bytes:
    """A vocabulary or merges as lines of text."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ModelError(f"{name} is not UTF-8 text; use the file from the model's release") from error
    # A class of tokens is bounded by what a model can have; a line of a megabyte is none.
    if text.count("\n") > 2 * MODEL_LIMITS.vocabulary or max(map(len, text.split("\n"))) > 1000:
        raise ModelError(f"{name} is not a vocabulary: it has too many lines, or lines that are too long")
    return data


def pieces(data: bytes, name: str) -> bytes:
    """A sentencepiece model, as it is: protocol buffers that are tried in a child."""
    return data


_READERS: dict[str, Callable[[bytes, str], bytes]] = {
    "tokenizer_config.json": tokenizer_config,
    "special_tokens_map.json": tokenizer_config,
    "added_tokens.json": numbers,
    "vocab.json": numbers,
    "tokenizer.json": tokens,
    "vocab.txt": lines,
    "merges.txt": lines,
    "spiece.model": pieces,
    "sentencepiece.bpe.model": pieces,
    "tokenizer.model": pieces,
}
TOKENIZER_FILES = tuple(_READERS)


def read(_: bytes, path: str, file: str, encoder: bool) -> tuple[Any, bytes]:
    """In the child: the file at `path` as it may be handed on; `file` is its name, which says how it is read."""
    data = read_bytes(path, file, MODEL_LIMITS.tokenizer)
    if file == "config.json":
        return None, config(data, file) if encoder else beside(data, file)
    return None, _READERS[file](data, file)


def _object(data: bytes, name: str) -> dict[str, Any]:
    found = parsed(data, name)
    if not isinstance(found, dict):
        raise ModelError(f"{name} contains {kinds.shown(found)}, not an object; use the file from the model's release")
    for key in _CODE:
        if key in found:
            raise ModelError(f"{name} names code to run ({key}); Loupe runs no code of a model, so it cannot be used")
    return found


def _kept(found: dict[str, Any], known: dict[str, Kind], name: str) -> dict[str, Any]:
    kept = {key: value for key, value in found.items() if key in known}
    kinds.check(kept, known, name)
    return kept


def _token(value: dict[str, Any]) -> bool:
    flags = {"lstrip", "rstrip", "normalized", "single_word", "special"}
    return (
        isinstance(value.get("content"), str)
        and len(value["content"]) <= 256
        and value.get("__type", "AddedToken") == "AddedToken"
        and set(value) <= {"content", "__type", "id", *flags}
        and all(isinstance(value[key], bool) for key in flags & set(value))
    )


def _numbered(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) > 2**15:
        return False
    return all(
        len(key) <= 8 and key.isdecimal() and isinstance(one, dict) and _token(one) for key, one in value.items()
    )
