"""What runs in the one thread of the transformers engine: torch, the model, and a batch's way through it.

Nothing here may be called from the event loop, and this module is first imported in that thread: torch alone takes
seconds to import. Calls come one after another, so there is nothing to lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Event

# The hub's library would tell which other packages are installed; a self-hosted server keeps that to itself.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import torch
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from msgspec import Struct
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from dragoman.engines.completion import Piece
from dragoman.engines.transformers import NAME, Source
from dragoman.engines.transformers_lots import Lots
from dragoman.errors import ConfigurationError, EngineError, EngineRejected, EngineUnavailable
from dragoman.prompts.base import GREEDY, Decoding, Prompt
from dragoman.types import Tokens

# The scaffold, text and output of every prompt style fit; a model's own 131,072 would let one text fill the memory.
MAX_CONTEXT_TOKENS = 4096
END_OF_TURN = "<end_of_turn>"
_REPLACEMENT = "\ufffd"

HearPiece = Callable[[int, Piece], object]
"""Is told the number of a prompt and the answer to it so far."""


class Stops(Struct, frozen=True):
    """What ends an answer: token ids, and texts that are no token of their own."""

    ids: frozenset[int]
    texts: tuple[str, ...]

    def cut(self, text: str) -> str:
        """The text up to the first stop in it."""
        return text[: min((text.index(stop) for stop in self.texts if stop in text), default=len(text))]

    @property
    def window(self) -> int:
        """The most tokens that a stop text may be spread over."""
        return max((len(stop.encode()) for stop in self.texts), default=0)


class Row:
    """One prompt's place in a batch.

    The mutable state is the answer's tokens (`ids`) with what is known of their log-probabilities, and why it ended
    (`finish`) or could not be had (`failure`).
    """

    def __init__(
        self,
        prompt_ids: list[int],
        stops: Stops,
        max_tokens: int,
        decode: Callable[[list[int]], str],
        hear: Callable[[Piece], object] | None = None,
        decoding: Decoding = GREEDY,
    ) -> None:
        self.prompt_ids = prompt_ids
        self.max_tokens = max_tokens
        self.decoding = decoding
        self.ids: list[int] = []
        self.logprobs: list[float] = []
        self.finish: str | None = None
        self.failure: EngineError | None = None
        self._stops = stops
        self._decode = decode
        self._hear = hear

    def take(self, token_id: int, logprob: float | None = None) -> None:
        """Add the next token; a row that is finished takes no more, though the batch goes on."""
        if self.finish is not None:
            return
        if token_id in self._stops.ids:
            self.finish = "stop"
            return
        self.ids.append(token_id)
        if logprob is not None:
            self.logprobs.append(logprob)
        if self._stopped_by_text():
            self.finish = "stop"
        elif len(self.ids) >= self.max_tokens:
            self.finish = "length"
        elif self._hear is not None:
            self._hear(Piece(self._settled()))

    def restart(self) -> None:
        """Forget an answer that was broken off."""
        self.ids.clear()
        self.logprobs.clear()

    def outcome(self) -> Piece | EngineError:
        """The failure, or the whole answer; its `finish` is None where it was broken off."""
        if self.failure is not None:
            return self.failure
        text = self._stops.cut(self._decode(self.ids))
        tokens = Tokens(prompt=len(self.prompt_ids), output=len(self.ids))
        return Piece(text, self.finish, tokens, tuple(self.logprobs))

    def _stopped_by_text(self) -> bool:
        if not self._stops.texts:
            return False
        tail = self._decode(self.ids[-self._stops.window :])
        return self._stops.cut(tail) != tail

    def _settled(self) -> str:
        """The answer so far without what may be half a character or half a stop."""
        text = self._decode(self.ids)
        longest_half_stop = max((len(stop) - 1 for stop in self._stops.texts), default=0)
        return text[: len(text) - longest_half_stop].rstrip(_REPLACEMENT)


class Model:
    """A loaded causal language model with its tokenizer."""

    def __init__(self, net: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self._net = net
        self._tokenizer = tokenizer
        self._is_gemma = net.config.model_type.startswith("gemma")
        self._pad_id = tokenizer.pad_token_id or 0
        self._control = {str(token): id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._end_ids = _ids_in(
            net.generation_config.eos_token_id, tokenizer.eos_token_id, self._control.get(END_OF_TURN)
        )
        # Checkpoints ask for sampling; `generate` would fill whatever is left open from here.
        net.generation_config = GenerationConfig(do_sample=False, pad_token_id=self._pad_id)
        own_tokens = getattr(net.config.get_text_config(), "max_position_embeddings", MAX_CONTEXT_TOKENS)
        self.context_tokens = min(MAX_CONTEXT_TOKENS, own_tokens)
        self.has_chat_template = tokenizer.chat_template is not None
        self.revision: str | None = getattr(net.config, "_commit_hash", None)

    def complete(
        self, prompts: Sequence[Prompt], abandoned: Event, hear: HearPiece | None = None
    ) -> list[Piece | EngineError]:
        """Complete all prompts in one batch; one answer or error each, in order.

        Answers are those of decoding them one by one, up to rounding. Once `abandoned` is set, it ends at the next
        token, and what is unfinished stays so. `hear` is told each answer so far at each token.
        """
        rows = [
            self._row(prompt, None if hear is None else partial(hear, number)) for number, prompt in enumerate(prompts)
        ]
        self._decode_all([row for row in rows if isinstance(row, Row)], abandoned)
        return [row.outcome() if isinstance(row, Row) else row for row in rows]

    def _row(self, prompt: Prompt, hear: Callable[[Piece], object] | None) -> Row | EngineRejected:
        try:
            prompt_ids = self.encode(prompt)
        except EngineRejected as error:
            return error
        if len(prompt_ids) + prompt.max_tokens > self.context_tokens:
            return EngineRejected(
                f"the text is too long: its prompt has {len(prompt_ids)} tokens and the translation may take "
                f"{prompt.max_tokens}, and together they may be {self.context_tokens}; send it in shorter pieces",
                engine=NAME,
            )
        return Row(prompt_ids, self._stops(prompt), prompt.max_tokens, self._text_of, hear, prompt.decoding)

    def encode(self, prompt: Prompt) -> list[int]:
        """The prompt's token ids, with exactly one `<bos>` where the model wants one.

        A raw prompt comes without and the tokenizer adds it; a chat template writes its own. Raises EngineRejected for
        a prompt without raw form if there is no chat template.
        """
        if prompt.raw is not None:
            return self._with_bos(self._tokenizer(prompt.raw, add_special_tokens=True).input_ids)
        if not self.has_chat_template:
            raise EngineRejected(
                "this model has no chat template, which its prompt style needs; choose another with ?style=",
                engine=NAME,
            )
        turns = [{"role": "user", "content": prompt.chat}]
        text = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return self._with_bos(self._tokenizer(text, add_special_tokens=False).input_ids)

    def _with_bos(self, ids: list[int]) -> list[int]:
        # Gemma writes nonsense without, and tokenizers that were converted may have lost the rule that adds it.
        lost = self._is_gemma and ids[:1] != [self._tokenizer.bos_token_id]
        return [self._tokenizer.bos_token_id, *ids] if lost else ids

    def _stops(self, prompt: Prompt) -> Stops:
        control = {self._control[stop] for stop in prompt.stop if stop in self._control}
        texts = tuple(stop for stop in prompt.stop if stop not in self._control)
        return Stops(self._end_ids | control | frozenset(prompt.stop_token_ids), texts)

    def _text_of(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _decode_all(self, rows: list[Row], abandoned: Event) -> None:
        """Decode the rows, in halves where the memory is too small for all at once."""
        if not rows or abandoned.is_set() or self._fits(rows, abandoned):
            return
        if len(rows) == 1:
            rows[0].failure = _out_of_memory()
            return
        left = [row for row in rows if row.finish is None]
        for row in left:
            row.restart()
        half = (len(left) + 1) // 2
        self._decode_all(left[:half], abandoned)
        self._decode_all(left[half:], abandoned)

    def _fits(self, rows: list[Row], abandoned: Event) -> bool:
        """Decode the rows in one go; False if the memory was too small for that."""
        try:
            self._generate(rows, abandoned)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise EngineUnavailable(
                    f"torch stopped with {_in_short(error)}; restart the server if it does so again", engine=NAME
                ) from error
        else:
            return True
        # Only here, past the except clause, is the failed pass's memory free to be given back.
        if self._net.device.type == "cuda":
            torch.cuda.empty_cache()
        return False

    def _generate(self, rows: list[Row], abandoned: Event) -> None:
        lots = Lots([row.decoding for row in rows], self._net.device)

        def finished(ids: torch.Tensor, _scores: object) -> torch.Tensor:
            taken = ids[:, -1]
            for row, token_id, logprob in zip(rows, taken.tolist(), lots.logprobs_of(taken), strict=True):
                row.take(token_id, logprob)
            done = [abandoned.is_set() or row.finish is not None for row in rows]
            return torch.tensor(done, device=ids.device)

        ids, mask = left_padded([row.prompt_ids for row in rows], self._pad_id)
        self._net.generate(
            input_ids=torch.tensor(ids, device=self._net.device),
            attention_mask=torch.tensor(mask, device=self._net.device),
            max_new_tokens=max(row.max_tokens for row in rows),
            logits_processor=LogitsProcessorList([lots]),
            stopping_criteria=[finished],
        )


def left_padded(rows: Sequence[list[int]], pad_id: int) -> tuple[list[list[int]], list[list[int]]]:
    """Rows of token ids made equally long, and the mask that hides the padding; the ends stay aligned."""
    longest = max(map(len, rows))
    padding = [longest - len(row) for row in rows]
    ids = [[pad_id] * missing + row for missing, row in zip(padding, rows, strict=True)]
    return ids, [[0] * missing + [1] * (longest - missing) for missing in padding]


def load(source: Source) -> Model:
    """Load a model and its tokenizer, from the hub where they are not in its cache. Raises ConfigurationError."""
    device = _device(source.device)
    if device == "cpu":
        torch.set_num_threads(source.threads)
    with _explained(source):
        tokenizer = AutoTokenizer.from_pretrained(source.name, local_files_only=source.local)
        net = AutoModelForCausalLM.from_pretrained(source.name, dtype=source.dtype, local_files_only=source.local)
        return Model(net.to(device).eval(), tokenizer)


def _device(asked: str) -> str:
    available = torch.cuda.is_available()
    if asked == "cuda" and not available:
        raise ConfigurationError("torch sees no CUDA device here; say device=cpu, or install the torch for your GPU")
    return "cuda" if available and asked != "cpu" else "cpu"


@contextmanager
def _explained(source: Source) -> Iterator[None]:
    """Turn what transformers, the hub's library and torch raise into words that say what to do."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ConfigurationError(_explanation(source, error)) from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":  # derived from Exception alone
            raise
        raise ConfigurationError(_explanation(source, error)) from error


def _explanation(source: Source, error: Exception) -> str:
    causes = list(_chain(error))
    if any(map(_is_out_of_memory, causes)):
        return f"{source.name} does not fit into the memory; take a smaller model, or dtype=bfloat16"
    refusal = next((words for cause in causes if (words := _refusal(source.name, cause))), None)
    if refusal is not None:
        return refusal
    return f"{source.name} cannot be loaded as a causal language model of transformers: {_in_short(error)}"


def _refusal(name: str, cause: BaseException) -> str | None:
    """What an error of the hub's library means for who wanted the model; None where it is another's."""
    hub = constants.ENDPOINT
    match cause:
        case GatedRepoError():
            return (
                f"{name} is given only to who accepted its licence: accept it at {hub}/{name}, make a token that may "
                "read it, set HF_TOKEN to the token, and start again"
            )
        case RepositoryNotFoundError() | HFValidationError():
            return f"there is no repository {name}, or it is private and HF_TOKEN does not open it"
        case OfflineModeIsEnabled():
            return f"{name} is not in the hub's cache and HF_HUB_OFFLINE is set; unset it to download the model"
        case LocalEntryNotFoundError():
            reason = _in_short(cause.__cause__ or cause)
            return (
                f"{name} is not in the hub's cache and {hub} did not give it ({reason}); check the network, the proxy "
                "settings and HF_ENDPOINT, and start again"
            )
        case HfHubHTTPError() if cause.response.status_code in (401, 403):
            return f"{hub} refused the token; set HF_TOKEN to one that may read {hub}/{name}, or unset it"
    return None


def _in_short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_out_of_memory(error: BaseException) -> bool:
    # torch has a class for GPUs only; on a CPU it is a plain RuntimeError.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _out_of_memory() -> EngineUnavailable:
    return EngineUnavailable(
        "the memory is too small for this text alone; free some, or use a smaller model or dtype=bfloat16",
        engine=NAME,
    )


def _ids_in(*values: int | list[int] | None) -> frozenset[int]:
    """All ids among values that are one, several or none: checkpoints write them in each way."""
    lists = [value if isinstance(value, list) else [value] for value in values if value is not None]
    return frozenset(id_ for ids in lists for id_ in ids)
