"""Conversations. The server remembers what their sentences are in each language, so that it is said well."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

from playwright.sync_api import Page, expect

from dragoman.memory.sqlite import FILE_NAME, open_sqlite
from dragoman.memory.tmx import import_tmx
from tests.pages.pictures import PHONE, Camera
from tests.pages.test_conversations_page import invited, joined, opened, turns, write

LANGUAGES = ("en", "de", "ar")
MISSING, LOOKING, THERE, TODAY, UNTIL, THANKS, ROOM, WINDOW = PHRASES = (
    (
        "Good morning, my parcel was due on Tuesday and has not come.",
        "Guten Morgen, mein Paket sollte am Dienstag kommen und ist noch nicht da.",
        "صباح الخير، كان من المفترض أن يصل طردي يوم الثلاثاء ولم يصل بعد.",
    ),
    ("One moment, I will look it up.", "Einen Moment, ich sehe nach.", "لحظة من فضلك، سأتحقق من الأمر."),
    (
        "It has been at the branch by the harbour since yesterday.",
        "Es liegt seit gestern in der Filiale am Hafen.",
        "إنه موجود منذ أمس في الفرع القريب من الميناء.",
    ),
    ("Can I pick it up today?", "Kann ich es heute abholen?", "هل يمكنني استلامه اليوم؟"),
    (
        "Yes, until 18:00, and please bring your ID with you.",
        "Ja, bis 18:00 Uhr, und bringen Sie bitte Ihren Ausweis mit.",
        "نعم، حتى الساعة 18:00، ويرجى إحضار بطاقة هويتك.",
    ),
    ("Thank you, that is a great help.", "Danke, das hilft mir sehr.", "شكرًا، هذا يساعدني كثيرًا."),
    (
        "Is the room with the sea view still free in May?",
        "Ist das Zimmer mit Meerblick im Mai noch frei?",
        "هل ما زالت الغرفة المطلة على البحر متاحة في مايو؟",
    ),
    ("We would stay for a week.", "Wir würden eine Woche bleiben.", "سنبقى لمدة أسبوع."),
)
ORDER = [(False, MISSING), (True, LOOKING), (True, THERE), (False, TODAY), (True, UNTIL), (False, THANKS)]
"""What is said about the order, and whether it is the owner who says it."""
HALF = {"width": 640, "height": 800}


async def remember_phrases(data: Path) -> None:
    """Have the server that will keep its data there know the phrases, as people translated them."""
    units = "".join(f"<tu>{''.join(map(_variant, LANGUAGES, phrase))}</tu>" for phrase in PHRASES)
    text = f'<tmx version="1.4"><header srclang="*all*"/><body>{units}</body></tmx>'
    memory = await open_sqlite(data / FILE_NAME, max_bytes=10_000_000, max_age_days=1)
    try:
        await import_tmx(io.BytesIO(text.encode()), memory)
    finally:
        await memory.aclose()


def _variant(language: str, text: str) -> str:
    return f'<tuv xml:lang="{language}"><seg>{escape(text)}</seg></tuv>'


def take_all(camera: Camera) -> None:
    _take_empty(camera)
    _take_windows(camera)
    _take_phone(camera)
    _take_desk(camera)


def _take_empty(camera: Camera) -> None:
    with camera.window() as desk:
        desk.goto("/#conversations")
        expect(desk.locator("#view-conversations .none")).to_be_visible()
        camera.take(desk, "conversations-empty")


def _take_windows(camera: Camera) -> None:
    with _desk(camera, viewport=HALF) as desk, camera.window(viewport=HALF, locale="de-DE") as guest:
        _meet(desk, guest, "Order 4711", "Frau Weber", "de")
        _discuss(desk, guest, "de")
        camera.take(desk, "conversation-en")
        camera.take(guest, "conversation-de")


def _take_phone(camera: Camera) -> None:
    with _desk(camera) as desk, camera.window(**PHONE | {"locale": "ar"}) as guest:
        _meet(desk, guest, "Order 4711", "ليلى", "ar")
        _discuss(desk, guest, "ar")
        camera.take(guest, "conversation-phone-arabic")


def _take_desk(camera: Camera) -> None:
    with _desk(camera) as desk, camera.window() as weber, camera.window() as layla:
        _meet(desk, layla, "A room in May", "ليلى", "ar")
        _meet(desk, weber, "Order 4711", "Frau Weber", "de")
        _discuss(desk, weber, "de")
        for phrase in (ROOM, WINDOW):
            write(layla, _in(phrase, "ar"))
        expect(desk.locator(".row .unread:visible")).to_have_text("2")
        camera.take(desk, "conversations")


@contextmanager
def _desk(camera: Camera, **context: object) -> Iterator[Page]:
    """The desk of an owner whose conversations are gone when the picture is taken."""
    with camera.window(**context) as desk:
        desk.goto("/#conversations")
        yield desk
        for room in desk.request.get("/v1/conversations").json()["conversations"]:
            desk.request.delete(f"/v1/conversations/{room['id']}")


def _meet(desk: Page, guest: Page, title: str, name: str, language: str) -> None:
    opened(desk, title, "Emma")
    guest.goto(invited(desk, name, language))
    joined(guest)


def _discuss(desk: Page, guest: Page, language: str) -> None:
    """Each waits until they have read the other, as people do."""
    for number, (is_owner, phrase) in enumerate(ORDER, 1):
        write(*(desk, _in(phrase, "en")) if is_owner else (guest, _in(phrase, language)))
        _read(desk, number, "en")
        _read(guest, number, language)


def _read(page: Page, number: int, language: str) -> None:
    expect(turns(page)).to_have_count(number)
    expect(turns(page).last.locator(".words")).to_have_attribute("lang", language)


def _in(phrase: Sequence[str], language: str) -> str:
    return phrase[LANGUAGES.index(language)]
