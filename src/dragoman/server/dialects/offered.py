"""What a dialect's list of languages holds: sources and targets, in the dialect's own spelling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from dragoman.languages import EVALUATED_LOCALES, base, resolve
from dragoman.types import Pair


def offered(pairs: frozenset[Pair] | None, spelled: Callable[[str], str]) -> Mapping[str, Sequence[str]]:
    """The source languages, sorted, each with the targets it is translated into.

    Of an engine that may be asked for any pair (`pairs` None) these are English and the languages TranslateGemma was
    evaluated on: all 581 codes in each of the others would be megabytes. The others are taken all the same.
    """
    if pairs is None:
        codes = sorted({spelled(code) for code in ("en", *EVALUATED_LOCALES)})
        return {source: [target for target in codes if target != source] for source in codes}
    targets: dict[str, set[str]] = {}
    for pair in sorted(pairs, key=str):
        targets.setdefault(spelled(pair.source), set()).add(spelled(pair.target))
    return {source: sorted(targets[source] - {source}) for source in sorted(targets)}


def common_codes() -> list[str]:
    """The same languages as people choose them: each plain, and by region as well where several regions are among them.

    `de`, not `de-DE`; but `pt`, `pt-BR` and `pt-PT`.
    """
    regions = Counter(map(base, EVALUATED_LOCALES))
    several = (locale for locale in EVALUATED_LOCALES if regions[base(locale)] > 1)
    return sorted({*map(resolve, ("en", *regions)), *several})
