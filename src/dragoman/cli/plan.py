"""`dragoman plan`: how many machines, hours and tokens a corpus takes, reckoned without any of them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dragoman.cli.flags import Commands

if TYPE_CHECKING:
    from dragoman.jobs.sizing import Corpus, Sizing

LABEL_WIDTH = 24
MOST = 10**15
SMALLEST, LARGEST = 1e-6, 1e9


def add_to(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("plan", help="say how much machine a corpus needs", allow_abbrev=False)
    _add_corpus(parser)
    _add_machine(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object, for scripts")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Reckon, and print what comes out and what was assumed."""
    import msgspec

    from dragoman.engines.simulated_profiles import profile_named
    from dragoman.jobs.sizing import Corpus, machines_for, size

    profile = profile_named(arguments.profile)
    profile = msgspec.structs.replace(profile, slots=arguments.slots or profile.slots)
    given = {name: getattr(arguments, name) for name in Corpus.__struct_fields__}
    corpus = Corpus(**{name: value for name, value in given.items() if value is not None})
    machines = machines_for(corpus, profile, arguments.hours) if arguments.hours else arguments.machines
    sizing = size(corpus, profile, machines)
    price = arguments.gpu_price
    cost = None if price is None else sizing.cost(price)
    if arguments.json:
        priced = {"cost": cost, "currency": arguments.currency if price is not None else None}
        print(msgspec.json.encode(msgspec.to_builtins(sizing) | priced).decode())
    else:
        print(_report(corpus, sizing, None if cost is None else f"{rounded(cost)} {arguments.currency}".rstrip()))
    return 0


def _add_corpus(parser: argparse.ArgumentParser) -> None:
    # Each `dest` is a field of `Corpus`, which has the defaults; importing it here would slow every command down.
    section = parser.add_argument_group("corpus")
    section.add_argument("--rows", metavar="N", type=_count, required=True, help="rows of the table")
    section.add_argument(
        "--chars", dest="characters", metavar="N", type=_positive, required=True, help="characters of a row, on average"
    )
    section.add_argument("--targets", metavar="N", type=_count, help="languages to make of it [1]")
    section.add_argument(
        "--duplicates",
        metavar="SHARE",
        type=_share,
        help="share of rows that cost no call: duplicates, known to the memory, nothing to translate [0]",
    )
    section.add_argument(
        "--chars-per-token",
        dest="characters_per_token",
        metavar="N",
        type=_positive,
        help="characters of a token; German has 4.4, Japanese 2.4, Chinese 1.8 [that of English]",
    )
    section.add_argument(
        "--growth",
        metavar="N",
        type=_positive,
        help="tokens of the translation for each token of the text [that from English into other European languages]",
    )


def _add_machine(parser: argparse.ArgumentParser) -> None:
    section = parser.add_argument_group("machines")
    section.add_argument(
        "--profile", metavar="NAME", required=True, help="card and model; `dragoman simulate --list` lists them"
    )
    section.add_argument("--slots", metavar="N", type=_count, help="segments it works on at once [the profile's]")
    how_many = section.add_mutually_exclusive_group()
    how_many.add_argument("--machines", metavar="N", type=_count, default=1, help="how many there are [%(default)s]")
    how_many.add_argument("--hours", metavar="H", type=_positive, help="say how many it takes to be done in H hours")
    section.add_argument("--gpu-price", metavar="N", type=_positive, help="price of one machine for an hour")
    section.add_argument("--currency", metavar="NAME", default="", help="what to print behind the cost")


def _report(corpus: Corpus, sizing: Sizing, cost: str | None) -> str:
    rows = [
        ("machines", f"{sizing.machines:,}"),
        ("hours", rounded(sizing.hours)),
        ("tokens in", f"{rounded(sizing.prompt_tokens)}, of which {rounded(sizing.cached_tokens)} cached"),
        ("tokens out", rounded(sizing.output_tokens)),
        ("segments", rounded(sizing.segments)),
        ("rows/s", rounded(sizing.rows_per_s)),
        ("segments/s", rounded(sizing.segments_per_s)),
        ("segments/s a machine", rounded(sizing.segments_per_s_machine)),
        (
            "tokens/s a machine",
            f"{rounded(sizing.prompt_tokens_per_s_machine)} in, {rounded(sizing.output_tokens_per_s_machine)} out",
        ),
        ("Dragoman processes", f"{sizing.processes:,}"),
    ]
    if cost is not None:
        rows.append(("cost", cost))
    languages = f"{corpus.targets:,} language{'s' if corpus.targets > 1 else ''}"
    head = f"{corpus.rows:,} rows of {corpus.characters:g} characters into {languages} on {sizing.profile}"
    return "\n".join([head, "", *_lines(rows), "", "Assumed:", *(f"- {words}" for words in sizing.assumptions)])


def _lines(rows: Sequence[tuple[str, str]]) -> Sequence[str]:
    return [f"{label.ljust(LABEL_WIDTH)}{value}" for label, value in rows]


def rounded(number: float) -> str:
    """Three digits that count, and no others: nothing here is known better."""
    digits = 2 - math.floor(math.log10(number)) if number else 0
    return f"{round(number, digits):,.{max(0, digits)}f}"


def _count(words: str) -> int:
    if words.isdecimal() and len(words) <= len(str(MOST)) and 0 < int(words) <= MOST:
        return int(words)
    raise argparse.ArgumentTypeError(f"{words!r} is not a whole number from 1 to {MOST:,}")


def _positive(words: str) -> float:
    number = _number(words)
    if SMALLEST <= number <= LARGEST:
        return number
    raise argparse.ArgumentTypeError(f"{words!r} is not a number from {SMALLEST:f} to {LARGEST:,.0f}")


def _share(words: str) -> float:
    number = _number(words)
    if 0 <= number < 1:
        return number
    raise argparse.ArgumentTypeError(f"{words!r} is not a share: 0.3 for 30 %, less than 1")


def _number(words: str) -> float:
    """The number, or NaN, which is in no range, for what is none and for the infinite ones."""
    try:
        number = float(words)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
