"""What a DeepL request asks for, in native types.

Nothing is read of `preserve_formatting`, for formatting always is preserved, of `enable_beta_languages`, nor of
`translation_memory_threshold`. XML and HTML are read in one way under both versions of `tag_handling`.
"""

from __future__ import annotations

from dragoman import languages
from dragoman.errors import InvalidRequest
from dragoman.server.dialects.deepl_endpoint import choice
from dragoman.server.gate import Caller
from dragoman.server.parameters import Parameters
from dragoman.server.service import Service
from dragoman.types import EngineInfo, Formality, Format, Glossary, Split, TagRules, TranslateRequest, Wishes

MAX_GLOSSARIES = 5
MAX_CONTEXT_CHARACTERS = 4_000
"""Of a longer context the end is taken, which stands nearest to the text; models are shown less still."""

MODEL_TYPES = {
    "quality_optimized": "quality_optimized",
    "prefer_quality_optimized": "quality_optimized",
    "latency_optimized": "latency_optimized",
}
"""What may be asked for, and what is said to have been used."""

TAG_VERSIONS = {"v1": 1, "v2": 2}

_FORMATS: dict[str, Format] = {"": "text", "xml": "xml", "html": "html"}
_SPLITS: dict[str, Split] = {"1": "sentences", "0": "off", "nonewlines": "sentences"}
_FORMALITIES: dict[str, tuple[Formality | None, bool]] = {
    "default": (None, False),
    "more": ("more", False),
    "less": ("less", False),
    "prefer_more": ("more", True),
    "prefer_less": ("less", True),
}
_LANGUAGES_WITH_FORMALITY = frozenset({"de", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru"})
_NOT_OFFERED = ("style_id", "translation_memory_id", "custom_instructions")


async def request_of(parameters: Parameters, service: Service, caller: Caller) -> TranslateRequest:
    """What `/v2/translate` is asked for. Raises InvalidRequest, UnknownLanguage or UnknownGlossary."""
    texts = parameters.texts("text")
    if not texts:
        raise InvalidRequest("'text' is missing: send the texts to translate.", field="text")
    format_ = _FORMATS[choice(parameters, "tag_handling", _FORMATS, "")]
    source, target = source_of(parameters), target_of(parameters)
    formality, preferred = formality_of(parameters, target, service.translator.info)
    return TranslateRequest(
        texts=tuple(texts),
        targets=(target,),
        source=source,
        format=format_,
        wishes=Wishes(
            tags=_tag_rules(parameters),
            split=_split_of(parameters, format_),
            context=(parameters.text("context") or "")[-MAX_CONTEXT_CHARACTERS:],
            formality=formality,
            formality_preferred=preferred,
            glossaries=await glossaries_of(parameters, service, caller, source, target),
        ),
    )


def target_of(parameters: Parameters) -> str:
    """The target's canonical code. Raises InvalidRequest where there is none, and UnknownLanguage."""
    return language_of(parameters, "target_lang")


def source_of(parameters: Parameters) -> str | None:
    """The source's canonical code, None where it is to be detected. Raises UnknownLanguage."""
    return language_of(parameters, "source_lang") if parameters.text("source_lang") else None


def language_of(parameters: Parameters, name: str) -> str:
    """The canonical code of a language that has to be there. Raises InvalidRequest or UnknownLanguage."""
    code = parameters.text(name)
    if not code:
        raise InvalidRequest(f"'{name}' is missing: send a language code, such as DE.", field=name)
    return languages.resolve(code)


def has_formality(target: str, info: EngineInfo) -> bool:
    """Whether the model can be asked for it, and the language tells a formal `you` from another."""
    return "instructions" in info.can and languages.base(target) in _LANGUAGES_WITH_FORMALITY


def formality_of(parameters: Parameters, target: str, info: EngineInfo) -> tuple[Formality | None, bool]:
    """The formality, and whether it is only preferred. Raises InvalidRequest where one is demanded that cannot be."""
    word = choice(parameters, "formality", _FORMALITIES, "default")
    formality, preferred = _FORMALITIES[word]
    if formality is None or has_formality(target, info):
        return formality, preferred
    if preferred:
        return None, False
    raise InvalidRequest(
        f"The model {info.model} cannot be asked for formality in {languages.english_name(target)}. Leave 'formality' "
        f"out, or send 'prefer_{word}' to have it followed where it can be.",
        field="formality",
    )


async def glossaries_of(
    parameters: Parameters, service: Service, caller: Caller, source: str | None, target: str
) -> tuple[Glossary, ...]:
    """The glossaries that `glossary_id` or `glossary_ids` name. Raises InvalidRequest or UnknownGlossary."""
    named = _glossary_names(parameters)
    if named and source is None:
        raise InvalidRequest("A glossary needs 'source_lang': name the language of the texts.", field="source_lang")
    loaded = tuple([await service.glossaries.load(name, caller.key_id) for name in named])
    if source is not None and loaded and not any(_serves(glossary, source, target) for glossary in loaded):
        raise InvalidRequest(
            f"The glossary {loaded[0].name!r} has no terms from {source} to {target}. Use one that has, or none.",
            field="glossary_id",
        )
    return loaded


def check_offered(parameters: Parameters) -> None:
    """Refuse what would change the translation and is not to be had here. Raises InvalidRequest."""
    for name in _NOT_OFFERED:
        if parameters.value(name):
            raise InvalidRequest(f"'{name}' is nothing that this server can follow; leave it out.", field=name)


def _glossary_names(parameters: Parameters) -> list[str]:
    one, several = parameters.text("glossary_id"), parameters.words("glossary_ids")
    if one and several:
        raise InvalidRequest("Send 'glossary_id' or 'glossary_ids', not both.", field="glossary_ids")
    if len(several) > MAX_GLOSSARIES:
        raise InvalidRequest(
            f"'glossary_ids' may name {MAX_GLOSSARIES}, not {len(several)}.", field="glossary_ids", limit=MAX_GLOSSARIES
        )
    return [one] if one else several


def _serves(glossary: Glossary, source: str, target: str) -> bool:
    """Whether it has terms for these languages, in whatever regional form."""
    wanted = languages.base(source), languages.base(target)
    return any((languages.base(pair.source), languages.base(pair.target)) == wanted for pair in glossary.terms)


def _tag_rules(parameters: Parameters) -> TagRules:
    return TagRules(
        splitting=frozenset(parameters.words("splitting_tags")),
        non_splitting=frozenset(parameters.words("non_splitting_tags")),
        ignored=frozenset(parameters.words("ignore_tags")),
        outline=parameters.flag("outline_detection") is not False,
    )


def _split_of(parameters: Parameters, format_: Format) -> Split:
    """In markup a line break ends no sentence in any case. In plain text only "off" passes over it; long texts are
    still cut between sentences.
    """
    word = choice(parameters, "split_sentences", _SPLITS, "1")
    return "off" if word == "nonewlines" and format_ == "text" else _SPLITS[word]
