"""Every error Dragoman raises on purpose.

DragomanError
├── InvalidRequest                the caller's mistake; nothing was started
│   ├── UnknownLanguage
│   ├── UnsupportedPair
│   ├── UnknownGlossary
│   ├── UnknownDocument
│   ├── DocumentNotReady          it is being translated, or that failed
│   ├── DocumentTaken             it could be fetched once, and was
│   ├── UnknownJob
│   ├── JobNotReady               it is being worked on, or is not complete
│   ├── InputChanged              a job's input or engine is not what it was when the job was planned
│   ├── UnreadableTable           the table, or a part of it, cannot be read
│   ├── UnknownConversation
│   ├── ConversationFull          no more people or invitations fit
│   ├── UnknownKey
│   └── TooLarge
├── Refused                       the caller may not, or not now; nothing was started
│   ├── Unauthorized              no valid key
│   ├── Forbidden                 the key is not for this
│   ├── QuotaExceeded             the characters of this period are used up
│   └── TooManyRequests           too many in a short time
├── Overloaded                    too much is waiting already
├── DeadlineExceeded              the caller's time ran out
├── ShuttingDown                  the process takes no new work
├── EngineError                   an engine could not translate one segment
│   ├── EngineUnavailable         not reachable, crashed, restarting: another try may help
│   ├── EngineTimeout             it did not answer in time
│   ├── EngineRejected            it answered, and said no: another try will not help
│   │   └── StatusRejected        with an HTTP status of its own
│   └── BadOutput                 it answered with something that is no translation
│       ├── OutputTruncated       it ran into its output limit
│       └── Unfaithful            it answered, and something of the text was lost or broken
├── LedgerError                   a job's ledger or its output cannot be read or written
└── ConfigurationError            the operator's mistake; found at start where possible
    └── MissingExtra

`server/problems.py` holds the one table from these to HTTP status codes.
"""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.types import Finding


class DragomanError(Exception):
    """Something went wrong in Dragoman."""

    @property
    def message(self) -> str:
        """What happened and what to do next, for the person who reads it."""
        return str(self.args[0]) if self.args else (self.__doc__ or "").strip()

    def __reduce__(self) -> tuple[object, ...]:
        """Travel between processes whole, whatever the class wants to be made of."""
        return _made_again, (type(self), self.args, self.__dict__)


class InvalidRequest(DragomanError):
    """The request cannot be understood.

    `field` names the part at fault, `accepted` lists values that would do (it may be cut short), `limit` is the
    number that was passed.
    """

    def __init__(
        self, message: str, *, field: str | None = None, accepted: Sequence[str] = (), limit: int | None = None
    ) -> None:
        super().__init__(message)
        self.field = field
        self.accepted = tuple(accepted)
        self.limit = limit


class UnknownLanguage(InvalidRequest):
    """No such language code."""


class UnsupportedPair(InvalidRequest):
    """The engine does not translate between these two languages."""


class UnknownGlossary(InvalidRequest):
    """There is no such glossary, or it has no terms for this pair."""


class UnknownKey(InvalidRequest):
    """There is no such API key, or it was revoked."""


class UnknownDocument(InvalidRequest):
    """There is no such document, it is somebody else's, it was deleted, or it became too old."""


class DocumentNotReady(InvalidRequest):
    """The document is still being translated, or its translation failed: its status says which."""


class DocumentTaken(InvalidRequest):
    """The document could be fetched once, and was."""


class UnknownJob(InvalidRequest):
    """There is no such job, it is somebody else's, or it was deleted."""


class JobNotReady(InvalidRequest):
    """The job is in a state in which this cannot be done: its message says in which, and what to do."""


class InputChanged(InvalidRequest):
    """A job's input, columns or engine are not what they were when it was planned; the message says what changed."""


class UnreadableTable(InvalidRequest):
    """A table, or a range of its rows, cannot be read; the message says where."""


class UnknownConversation(InvalidRequest):
    """There is no such conversation, it is somebody else's, or it is over."""


class ConversationFull(InvalidRequest):
    """No more people, or no more invitations, fit into a conversation."""


class TooLarge(InvalidRequest):
    """The request is larger than the limit that `field` and `limit` name."""


class Refused(DragomanError):
    """The caller may not do this, or not now."""


class Unauthorized(Refused):
    """There is no key with the request, or not one that is known."""


class Forbidden(Refused):
    """The key is known and does not allow this."""


class QuotaExceeded(Refused):
    """The characters that the key allows in this period are used up."""


class TooManyRequests(Refused):
    """The key's requests or characters of this short time are used up. Try again in `retry_after_s` seconds."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(DragomanError):
    """Too much work is waiting. Try again in `retry_after_s` seconds."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(DragomanError):
    """The time the caller allowed ran out before the translation was there."""


class ShuttingDown(DragomanError):
    """The server is stopping and takes no new work."""


class EngineError(DragomanError):
    """An engine could not translate a segment. `engine` is its name, never its address or secrets."""

    def __init__(self, message: str, *, engine: str) -> None:
        super().__init__(message)
        self.engine = engine


class EngineUnavailable(EngineError):
    """The engine cannot be reached or is restarting; another try may succeed."""


class EngineTimeout(EngineError):
    """The engine did not answer in time."""


class EngineRejected(EngineError):
    """The engine refused; the same request will be refused again."""


class StatusRejected(EngineRejected):
    """The engine refused with an HTTP status of its own, for those who read more from it than "no"."""

    def __init__(self, message: str, *, engine: str, status: int) -> None:
        super().__init__(message, engine=engine)
        self.status = status


class BadOutput(EngineError):
    """The engine's answer is not a translation."""


class OutputTruncated(BadOutput):
    """The engine reached its output limit before it finished; `partial` is what it wrote."""

    def __init__(self, message: str, *, engine: str, partial: str) -> None:
        super().__init__(message, engine=engine)
        self.partial = partial


class Unfaithful(BadOutput):
    """Something of the text was lost or broken in its translation, and could not be repaired; `findings` say what."""

    def __init__(self, findings: Sequence[Finding], *, engine: str) -> None:
        super().__init__(" ".join(finding.message for finding in findings), engine=engine)
        self.findings = tuple(findings)


class LedgerError(DragomanError):
    """A job's ledger, or a part of its output, cannot be read or written: most often the disk is full."""


class ConfigurationError(DragomanError):
    """A setting, an engine's address or a model file is wrong."""


class MissingExtra(ConfigurationError):
    """An optional part of Dragoman is not installed."""

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'dragoman[{extra}]'")
        self.extra = extra


def _made_again(kind: type[DragomanError], args: tuple[object, ...], state: dict[str, object]) -> DragomanError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error
