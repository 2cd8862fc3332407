"""A Gemma 3 of 100,000 random weights that nevertheless ends its answers, and its tokenizer.

Its answers are letters in the order of the alphabet, each at most `STEP` further than the one before, and then
`<end_of_turn>`. Which ones depends on all that was said before, through attention, so a wrong mask, position or padding
shows. The rule is in the embedding: a few features, which no layer may write to, say how far in the alphabet the latest
token is, and the output weights forbid what the rule does not allow.
"""

from __future__ import annotations

import string
from pathlib import Path

import torch
from transformers import (
    Gemma3Config,
    Gemma3ForCausalLM,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    GemmaTokenizer,
    GenerationConfig,
)

LETTERS = string.ascii_lowercase
STEP = 3
PAD, EOS, BOS, START_OF_TURN, END_OF_TURN, NEWLINE = 0, 1, 2, 105, 106, 107
SLIDING_WINDOW = 48
CONTEXT_TOKENS = 3072

_HIDDEN = 64
_CONSTANT = 0
_REACHED = slice(1, 1 + len(LETTERS))  # feature 1 + n: the latest token is the n-th letter or a later one
_RULE = slice(0, _REACHED.stop)
_FORBIDDEN = 100.0
_CHAT_TEMPLATE = (
    "{{ bos_token }}{% for turn in messages %}<start_of_turn>{{ turn['role'] }}\n{{ turn['content'] }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def save_tiny_gemma(
    folder: Path, *, ends: bool = True, images: bool = False, chat_template: bool = True, adds_bos: bool = True
) -> Path:
    """Save a model to `folder`. `ends`: answers stop by themselves. `images`: the class that TranslateGemma has."""
    tokenizer = tiny_tokenizer(adds_bos=adds_bos)
    tokenizer.chat_template = _CHAT_TEMPLATE if chat_template else None
    net = _with_images(_text_net(tokenizer, ends)) if images else _text_net(tokenizer, ends)
    # Checkpoints ask for sampling, which they must not get, and fine-tunes forget the turn's end.
    net.generation_config = GenerationConfig(do_sample=True, top_k=64, top_p=0.95, eos_token_id=EOS)
    net.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_tokenizer(*, adds_bos: bool) -> GemmaTokenizer:
    """Gemma's tokenizer class: a token for each printable character, bytes for all others, and the true control ids."""
    vocab = {"<pad>": PAD, "<eos>": EOS, "<bos>": BOS, "<unk>": 3, "<mask>": 4}
    vocab |= {f"<unused{id_}>": id_ for id_ in range(5, START_OF_TURN)}
    vocab |= {"<start_of_turn>": START_OF_TURN, "<end_of_turn>": END_OF_TURN, "\n": NEWLINE}
    visible = [chr(code) for code in range(33, 127)]
    for piece in ["▁", *visible, *(f"<0x{byte:02X}>" for byte in range(256))]:
        vocab[piece] = len(vocab)
    control = ["<start_of_turn>", "<end_of_turn>"]
    return GemmaTokenizer(vocab=vocab, merges=[], extra_special_tokens=control, add_bos_token=adds_bos)


def _text_net(tokenizer: GemmaTokenizer, ends: bool) -> Gemma3ForCausalLM:
    torch.manual_seed(7)
    net = Gemma3ForCausalLM(_text_config(len(tokenizer)))
    with torch.no_grad():
        _write_rule(net, torch.tensor(tokenizer.convert_tokens_to_ids(list(LETTERS))), ends)
    return net.eval()


def _text_config(vocab_size: int) -> Gemma3TextConfig:
    return Gemma3TextConfig(
        vocab_size=vocab_size,
        hidden_size=_HIDDEN,
        intermediate_size=_HIDDEN,
        num_hidden_layers=3,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        query_pre_attn_scalar=1,
        initializer_range=0.5,
        sliding_window=SLIDING_WINDOW,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=False,
        pad_token_id=PAD,
        eos_token_id=EOS,
        bos_token_id=BOS,
    )


def _write_rule(net: Gemma3ForCausalLM, letters: torch.Tensor, ends: bool) -> None:
    for layer in net.model.layers:
        # The norm multiplies by one plus its weight.
        layer.post_attention_layernorm.weight[_RULE] = -1
        layer.post_feedforward_layernorm.weight[_RULE] = -1
    embedding, output = net.model.embed_tokens.weight, net.lm_head.weight
    embedding.normal_(std=0.1)
    output.normal_(std=1.0)
    embedding[:, _RULE] = output[:, _RULE] = 0
    embedding[:, _CONSTANT] = 0.25
    output[:, _CONSTANT] = -2 * _FORBIDDEN
    output[letters, _CONSTANT] = 0
    if ends:
        _write_order(embedding, output, letters)


def _write_order(embedding: torch.Tensor, output: torch.Tensor, letters: torch.Tensor) -> None:
    reached = range(_REACHED.start, _REACHED.stop)
    for number, letter in enumerate(letters.tolist()):
        embedding[letter, reached.start : reached[number] + 1] = 0.25
        output[letter, reached[number]] = -_FORBIDDEN
        if number >= STEP:
            output[letter, _CONSTANT] = -_FORBIDDEN
            output[letter, reached[number - STEP]] = _FORBIDDEN
    output[END_OF_TURN, _CONSTANT] = -_FORBIDDEN - 6
    output[END_OF_TURN, reached[0]] = _FORBIDDEN


def _with_images(text: Gemma3ForCausalLM) -> Gemma3ForConditionalGeneration:
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Gemma3Config(
        text_config=text.config, vision_config={**vision, "image_size": 28, "patch_size": 14}, tie_word_embeddings=False
    )
    net = Gemma3ForConditionalGeneration(config)
    net.model.language_model.load_state_dict(text.model.state_dict())
    net.lm_head.load_state_dict(text.lm_head.state_dict())
    return net.eval()
