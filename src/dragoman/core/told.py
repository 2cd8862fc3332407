"""What a reader was told of one item, and what he is to be told next. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from dragoman.core.events import SegmentDelta, SegmentDone, SegmentReplaced, SegmentStarted
from dragoman.core.flights import Flown
from dragoman.core.growing import restored_so_far
from dragoman.core.plan import UNTRANSLATED, Item, Plan, finish
from dragoman.core.sentence import Answer, Sentence
from dragoman.errors import DragomanError
from dragoman.text.parts import Part, Run, as_it_was, runs_in, shown, written
from dragoman.text.segment import Gap, join
from dragoman.types import EngineInfo, Finding, Pair, Translation

SegmentNews = SegmentStarted | SegmentDelta | SegmentReplaced | SegmentDone

_ENDS = ("a", "字", "*")
"""Whether a space stands between two sentences may depend on what these end and begin with, as one of these does."""


class Known:
    """What is known of a sentence so far: `so_far` as the engine writes it, `flown` how that ended, `answer` its worth.

    Where the answer is not final, it is going to be repaired.
    """

    __slots__ = ("answer", "flown", "is_final", "sentence", "so_far")

    def __init__(self, sentence: Sentence) -> None:
        self.sentence = sentence
        self.so_far = ""
        self.flown: Flown | None = None
        self.answer: Answer | None = None
        self.is_final = False


class ToldSegment:
    """A segment: `told` is its text as the reader has it, `words` what of that is the sentence itself.

    A space before it that depends on how the sentences come out belongs to its text; `window` are then the parts from
    the sentence before to this one.
    """

    __slots__ = ("before", "is_started", "known", "run", "told", "window", "words")

    def __init__(self, run: Run, known: Sequence[Known], before: str, window: Sequence[Part] | None) -> None:
        self.run = run
        self.known = known
        self.before = before
        self.window = window
        self.is_started = False
        self.told = ""
        self.words = ""

    @property
    def has_landed(self) -> bool:
        """Whether all of it was answered once."""
        return all(one.answer is not None for one in self.known)

    @property
    def is_final(self) -> bool:
        """Whether nothing of it can change any more."""
        return all(one.is_final for one in self.known)


class ToldItem:
    """An item as its reader has it.

    The mutable state: `_at` is the segment that is being written, `_done` the first one that is not told to be done.
    Segments are written in order and done in order; one that waits for its repair does not hold up the words of others.
    """

    def __init__(self, item: Item, known: Sequence[Known]) -> None:
        self.item = item
        self.is_started = False
        self.segments = list(_segments(item, known))
        self._known = known
        self._at = self._done = 0

    @property
    def after(self) -> str:
        """What stands after the last segment."""
        places = [place for place, part in enumerate(self.item.parts) if isinstance(part, Run)]
        return join(self.item.parts[places[-1] if places else 0 :], lambda run: "", self.item.pair)

    def news(self, number: int, info: EngineInfo) -> Iterator[SegmentNews]:
        """What is new of its segments; `number` is the item's."""
        while self._at < len(self.segments):
            segment = self.segments[self._at]
            yield from self._written(number, segment)
            if not segment.has_landed:
                break
            self._at += 1
        while self._done < self._at and self.segments[self._done].is_final:
            yield from self._finished(number, self.segments[self._done], info)
            self._done += 1

    def _written(self, number: int, segment: ToldSegment) -> Iterator[SegmentNews]:
        if not segment.is_started:
            segment.is_started = True
            yield SegmentStarted(number, self._at, shown(segment.run.text), segment.before)
        words = self._so_far(segment.run)
        if words:
            yield from self._change(number, self._at, words, is_whole=segment.has_landed)

    def _finished(self, number: int, segment: ToldSegment, info: EngineInfo) -> Iterator[SegmentNews]:
        done = self._translation(segment, info)
        words, findings, confidence = _worth(done, segment.run)
        yield from self._change(number, self._done, words, is_whole=True)
        flown = segment.known[0].flown
        yield SegmentDone(
            item=number,
            segment=self._done,
            text=segment.told,
            findings=findings,
            remembered=flown is not None and flown.origin != "engine",
            confidence=confidence,
        )

    def _translation(self, segment: ToldSegment, info: EngineInfo) -> Translation | DragomanError:
        """The segment as if it were a text of its own."""
        numbers = {run: place for place, run in enumerate(dict.fromkeys(runs_in((segment.run,))))}
        answers = [one.answer for one in segment.known if one.answer is not None]
        alone = Plan([Item(self.item.pair, None, (segment.run,), numbers)], [])
        return finish(alone, answers, info, 0.0)[0]

    def _change(self, number: int, place: int, words: str, *, is_whole: bool) -> Iterator[SegmentNews]:
        """What leads from the text that was told to these words; while they grow, those that are told stay."""
        segment = self.segments[place]
        text = self._in_place(place, words)
        if text.startswith(segment.told):
            if text != segment.told:
                yield SegmentDelta(number, place, text[len(segment.told) :])
        elif is_whole or not segment.told.startswith(text):
            yield SegmentReplaced(number, place, text)
        else:
            return
        segment.told, segment.words = text, words

    def _in_place(self, place: int, words: str) -> str:
        segment = self.segments[place]
        if segment.window is None:
            return words
        before = self.segments[place - 1].words
        return _between(segment.window, before, words, self.item.pair)[len(segment.before) :] + words

    def _so_far(self, run: Run) -> str | None:
        """What of a sentence can be shown; None where there is nothing new that can."""
        known = self._known[self.item.sentences[run]]
        answer = known.answer
        if answer is None:
            parts = restored_so_far(known.sentence.masked, known.so_far, self._is_answered)
        else:
            parts = answer.parts if all(map(self._is_answered, runs_in(answer.parts or ()))) else None
        return None if parts is None else written(parts, self._inside)

    def _is_answered(self, run: Run) -> bool:
        answer = self._known[self.item.sentences[run]].answer
        return answer is not None and answer.parts is not None

    def _inside(self, run: Run) -> str:
        """The text of a sentence inside what is held in another."""
        return self._so_far(run) or ""


def _worth(done: Translation | DragomanError, run: Run) -> tuple[str, Sequence[Finding], float | None]:
    """The words, findings and confidence of a segment; one for which nothing fit came back stands as it was."""
    if isinstance(done, DragomanError):
        return as_it_was(run), (UNTRANSLATED,), None
    return done.text, done.findings, done.confidence


def _segments(item: Item, known: Sequence[Known]) -> Iterator[ToldSegment]:
    former = None
    for place, part in enumerate(item.parts):
        if isinstance(part, Run):
            needed = [known[item.sentences[run]] for run in dict.fromkeys(runs_in((part,)))]
            if former is None:
                before, window = "".join(map(str, item.parts[:place])), None
            else:
                before, window = _before(item.parts[former : place + 1], item.pair)
            yield ToldSegment(part, needed, before, window)
            former = place


def _before(window: Sequence[Part], pair: Pair) -> tuple[str, Sequence[Part] | None]:
    """What stands between two sentences however they come out, and the window where that is not all."""
    found = {_between(window, end, end, pair) for end in _ENDS}
    if len(found) == 1:
        return found.pop(), None
    return "".join(map(str, takewhile(lambda part: not isinstance(part, Gap), window[1:]))), window


def _between(window: Sequence[Part], first: str, second: str, pair: Pair) -> str:
    """What stands between two sentences that come out as these words."""
    words = iter((first, second))
    joined = join(window, lambda run: next(words), pair)
    return joined[len(first) : len(joined) - len(second)]
