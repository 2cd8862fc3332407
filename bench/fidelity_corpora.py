"""Texts that nobody here wrote, for `bench.fidelity`: catalogues with people's translations, READMEs, HTML pages.

They come from packages (Django's wheel, npm packages, Debian's documentation packages), fetched by the registries' own
clients when a bench first needs them and kept in the system's temporary folder. What cannot be fetched is left out, and
said.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from pathlib import Path

from babel.messages.mofile import read_mo
from msgspec import Struct

from dragoman.types import Format

CACHE = Path(tempfile.gettempdir()) / "dragoman-fidelity"
DJANGO = "5.2.8"
LOCALES: Mapping[str, str] = {
    "de": "de", "fr": "fr", "es": "es", "pt_BR": "pt-BR", "ru": "ru", "ja": "ja", "zh_Hans": "zh-Hans",
    "zh_Hant": "zh-Hant", "ar": "ar", "tr": "tr",
}  # fmt: skip
"""Django's name of each language whose catalogue is read, and Dragoman's."""
READMES = (
    "axios@1.21.1", "chokidar@5.0.0", "commander@14.0.3", "execa@9.6.1", "glob@14.0.6", "semver@7.8.6", "uuid@14.0.3",
    "winston@3.19.0",
)  # fmt: skip
DOCUMENTATION = ("aptitude-doc-en", "debian-faq", "git-doc", "python-click-doc")
PAGES_A_PACKAGE = 10
PAGE_BYTES = (1_000, 60_000)
FETCH_TIMEOUT_S = 120.0


class Text(Struct, frozen=True, kw_only=True):
    """One text, where it is from, and what people made of it, by language, if that is known."""

    name: str
    format: Format
    text: str
    translations: Mapping[str, str] = {}


class Corpora(Struct, frozen=True, kw_only=True):
    """What could be fetched; `missing` says, source by source, what could not, and why."""

    strings: Sequence[Text]
    readmes: Sequence[Text]
    pages: Sequence[Text]
    missing: Sequence[str] = ()

    @property
    def description(self) -> str:
        """What there is of each kind, and where it is from."""
        return (
            f"Texts: {len(self.strings)} strings of Django {DJANGO}'s catalogues, {len(self.readmes)} READMEs "
            f"({', '.join(READMES)}), {len(self.pages)} HTML pages ({', '.join(DOCUMENTATION)})."
        )

    @property
    def notes(self) -> Sequence[str]:
        """What every report says: which texts are not in it."""
        return [f"Not measured: {reason}" for reason in self.missing]


class NotFetched(Exception):
    """A package could not be had: which, and what to do about it."""


async def corpora() -> Corpora:
    """All texts, from the cache or fetched into it. Raises nothing when a source cannot be reached."""
    CACHE.mkdir(exist_ok=True)
    missing: list[str] = []
    catalogues = await _tried([_django()], missing)
    readmes = await _tried([_readme(package) for package in READMES], missing)
    pages = await _tried([_pages(package) for package in DOCUMENTATION], missing)
    return Corpora(
        strings=[text for texts in catalogues for text in texts],
        readmes=[text for texts in readmes for text in texts],
        pages=[text for texts in pages for text in texts],
        missing=missing,
    )


def strings_of(catalogues: Mapping[str, Mapping[str, str]]) -> list[Text]:
    """One text for each different string of the catalogues, which are by language, with all its translations."""
    translations: dict[str, dict[str, str]] = {}
    for language, catalogue in catalogues.items():
        for source, target in catalogue.items():
            translations.setdefault(source, {})[language] = target
    return [
        Text(name=f"string {number}", format="text", text=source, translations=by_language)
        for number, (source, by_language) in enumerate(translations.items())
    ]


def spread(names: Sequence[str], count: int) -> Sequence[str]:
    """`count` of the names, or all if there are fewer, evenly over their order."""
    if len(names) <= count:
        return names
    return [names[number * len(names) // count] for number in range(count)]


async def _tried(sources: Sequence[Awaitable[list[Text]]], missing: list[str]) -> list[list[Text]]:
    read: list[list[Text]] = []
    for source in sources:
        try:
            read.append(await source)
        except NotFetched as error:
            missing.append(str(error))
    return read


async def _django() -> list[Text]:
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:")
    wheel = await _fetched(f"[Dd]jango-{DJANGO}-*.whl", *command, f"Django=={DJANGO}")
    with zipfile.ZipFile(wheel) as archive:
        return strings_of({code: _catalogue(archive, locale) for locale, code in LOCALES.items()})


def _catalogue(archive: zipfile.ZipFile, locale: str) -> dict[str, str]:
    """All of a language's strings. Of one with a plural, the plural and the translation for the largest numbers."""
    found: dict[str, str] = {}
    for name in archive.namelist():
        if f"/locale/{locale}/" in name and name.endswith(".mo"):
            found.update(_messages(archive.read(name)))
    return found


def _messages(compiled: bytes) -> Iterator[tuple[str, str]]:
    for message in read_mo(io.BytesIO(compiled)):
        source, target = _last(message.id), _last(message.string)
        if source and target:
            yield source, target


def _last(forms: str | Sequence[str] | None) -> str:
    return forms if isinstance(forms, str) else (forms or ("",))[-1]


async def _readme(package: str) -> list[Text]:
    name, _, version = package.partition("@")
    archive = await _fetched(f"{name}-{version}.tgz", "npm", "pack", "--silent", package)
    with tarfile.open(archive) as files:
        return [
            Text(name=package, format="markdown", text=_read(files, member))
            for member in files.getmembers()
            if member.name.lower() == "package/readme.md"
        ]


async def _pages(package: str) -> list[Text]:
    archive = await _fetched(f"{package}_*.deb", "apt-get", "download", "--quiet", package)
    unpacked = await _output("dpkg-deb", "--fsys-tarfile", str(archive))
    smallest, largest = PAGE_BYTES
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as files:
        pages = {
            member.name: member
            for member in files.getmembers()
            if member.isfile() and member.name.endswith(".html") and smallest <= member.size <= largest
        }
        chosen = spread(sorted(pages), PAGES_A_PACKAGE)
        return [Text(name=f"{package} {name}", format="html", text=_read(files, pages[name])) for name in chosen]


def _read(files: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    content = files.extractfile(member)
    assert content is not None, f"{member.name} is no file"
    return content.read().decode("utf-8", "replace")


async def _fetched(pattern: str, *command: str) -> Path:
    """The file in the cache that is called so, fetched by `command` if it is not there. Raises NotFetched."""
    known = next(CACHE.glob(pattern), None)
    if known is not None:
        return known
    await _output(*command)
    fetched = next(CACHE.glob(pattern), None)
    if fetched is None:
        raise NotFetched(f"`{' '.join(command)}` brought no {pattern}.")
    return fetched


async def _output(*command: str) -> bytes:
    """What a command run in the cache prints. Raises NotFetched where it is not there, fails or hangs."""
    shown = f"`{' '.join(Path(word).name for word in command)}`"
    try:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=CACHE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise NotFetched(f"{shown} cannot run: {command[0]} is not installed.") from error
    try:
        async with asyncio.timeout(FETCH_TIMEOUT_S):
            printed, _ = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise NotFetched(f"{shown} took longer than {FETCH_TIMEOUT_S:.0f} s.") from error
    if process.returncode:  # what it says may name addresses, which are nobody's business in a report
        raise NotFetched(f"{shown} failed with status {process.returncode}; run it by hand to see why.")
    return printed
