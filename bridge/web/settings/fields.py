"""The fields of Settings → AI Ticketing: which key each is, how it reads, and how it becomes the key's value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from werkzeug.datastructures import MultiDict

SCORES = (("sentiment", "Sentiment"), ("urgency", "Urgency"), ("impact", "Impact"))
MODES = (
    ("off", "Off", "Does not run."),
    ("shadow", "Shadow", "Decides and records. Nothing is written or noted."),
    ("suggest", "Suggest", "Leaves a note; a person accepts or dismisses."),
    ("apply", "Apply", "Writes to the ticket and leaves a note."),
)
OVERWRITES = (
    ("empty", "Only tickets without a category", ""),
    ("default", "Also tickets in one of the default categories", ""),
    ("always", "Always, whatever the ticket has", ""),
)
POLICIES = (
    ("default", "As above"),
    ("never", "Never: no ticket leaves"),
    ("local", "Only the local AI server"),
)
LONGEST = 20_000


class Kind(StrEnum):
    """How a field is shown and read."""

    SWITCH = "switch"
    CHOICE = "choice"
    SELECT = "select"
    CHECKS = "checks"
    WHOLE = "whole"
    AMOUNT = "amount"
    LINE = "line"
    TEXT = "text"
    LINES = "lines"
    PAIRS = "pairs"


@dataclass(frozen=True)
class Spec:
    """One field. `key` is its path below the organization; `may_be_empty` where empty means "not set"."""

    key: str
    kind: Kind
    label: str
    help: str = ""
    options: Sequence[tuple[str, ...]] = ()
    placeholder: str = ""
    may_be_empty: bool = False
    low: int = 0
    high: int = 1_000_000

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self.key.split("."))

    @property
    def id(self) -> str:
        return self.key.replace(".", "-")


SWITCH = Spec(
    "ai.enabled",
    Kind.SWITCH,
    "AI ticketing",
    "The master switch. While it is off, nothing runs and no ticket content is sent, whatever is set below.",
)
CATEGORIZATION = (
    Spec("categorization.mode", Kind.CHOICE, "Auto-categorization", "", MODES),
    Spec("categorization.min_confidence", Kind.WHOLE, "Least confidence to apply, in percent",
         "In mode Apply, a category the AI is less sure of is only suggested.", high=100),
    Spec("categorization.overwrite", Kind.SELECT, "Which tickets are categorized", "", OVERWRITES),
    Spec("categorization.priority", Kind.SWITCH, "Also propose a priority"),
    Spec("categorization.default_categories", Kind.LINES, "Default categories",
         "One per line, by name or id: what a ticket has before anybody sorted it."),
    Spec("categorization.ignore", Kind.LINES, "Categories the AI may never choose",
         "One path per line; * stands for anything.", placeholder="Internal/*"),
    Spec("categorization.hints", Kind.PAIRS, "What belongs where, in your words",
         "One category per line: path = what belongs there.", placeholder="Printing / Paper jam = also toner"),
    Spec("categorization.instructions", Kind.TEXT, "Further instructions", "Added to the prompt."),
)  # fmt: skip
SENTIMENT = (
    Spec("sentiment.mode", Kind.CHOICE, "Sentiment, urgency and impact", "", MODES),
    Spec("sentiment.act_on", Kind.CHECKS, "Scores that may change the ticket", "", SCORES),
    *(
        Spec(f"sentiment.thresholds.{key}", Kind.WHOLE, f"{label} threshold", "", low=1, high=5)
        for key, label in SCORES
    ),
    Spec("sentiment.escalate.owner", Kind.LINE, "Owner", "E-mail address or PSA identifier.", may_be_empty=True),
    Spec("sentiment.escalate.team", Kind.LINE, "Team or queue", "By name or id.", may_be_empty=True),
    Spec("sentiment.escalate.status", Kind.LINE, "Status", "By name or id.", may_be_empty=True),
    Spec("sentiment.instructions", Kind.TEXT, "Further instructions", "Added to the prompt."),
)  # fmt: skip
REPLIES = (
    Spec("replies.enabled", Kind.SWITCH, "Suggested replies",
         "A technician asks for a draft, edits it and sends it. Nothing is sent by itself."),
    Spec("replies.instructions", Kind.TEXT, "Further instructions", "Added to the prompt."),
)  # fmt: skip
RUNNING = (
    Spec("ai.report_errors", Kind.SWITCH, "Report errors on the ticket",
         "An internal note says so when the AI could not be used."),
    Spec("notes.separate", Kind.SWITCH, "One note per action", "Otherwise one note per ticket holds them all."),
    Spec("ai.monthly_budget", Kind.AMOUNT, "Monthly budget in US dollars",
         "When it is used up, tickets wait until it is raised or the month ends. Empty: no limit.",
         may_be_empty=True, high=1_000_000_000),
)  # fmt: skip
_TASKS = (("cat", "Categorization"), ("sent", "Sentiment"), ("reply", "Replies"))
VARIABLES = (
    *(
        Spec(f"variables.ai_model_ticket_{key}", Kind.LINE, f"{label}: model", may_be_empty=True,
             placeholder="as chosen above")
        for key, label in _TASKS
    ),
    *(
        Spec(f"variables.ticket_{key}_max_tokens", Kind.WHOLE, f"{label}: most tokens of an answer",
             may_be_empty=True, low=16, placeholder="4000")
        for key, label in _TASKS
    ),
)  # fmt: skip
SPECS = (SWITCH, *CATEGORIZATION, *SENTIMENT, *REPLIES, *RUNNING, *VARIABLES)


def read(spec: Spec, form: MultiDict[str, str]) -> Any:
    """Return what was entered, in the type of the key where that is possible; the schema judges the rest."""
    if spec.kind is Kind.SWITCH:
        return form.get(spec.key) == "on"
    if spec.kind is Kind.CHECKS:
        given = form.getlist(spec.key)
        return [option[0] for option in spec.options if option[0] in given]
    text = plain(form.get(spec.key, ""))
    if spec.kind is Kind.LINES:
        return [line.strip() for line in text.split("\n") if line.strip()]
    if spec.kind is Kind.PAIRS:
        return _pairs(text)
    if spec.kind is Kind.TEXT:
        return text
    text = text.strip()
    if not text and spec.may_be_empty:
        return None
    if spec.kind in (Kind.WHOLE, Kind.AMOUNT):
        return _number(text, whole=spec.kind is Kind.WHOLE)
    return text


def plain(text: str) -> str:
    """Return entered text with Unix line ends and without characters that databases refuse."""
    text = text[:LONGEST].replace("\r\n", "\n").replace("\r", "\n")
    return "".join(sign for sign in text if sign in "\n\t" or sign.isprintable() or sign.isspace())


def shown(spec: Spec, value: Any) -> Any:
    """Return a value as its control shows it."""
    if spec.kind is Kind.LINES:
        return "\n".join(str(line) for line in value or ())
    if spec.kind is Kind.PAIRS:
        return "\n".join(f"{path} = {said}" for path, said in (value or {}).items() if said is not None)
    if spec.kind is Kind.CHECKS:
        return list(value or ())
    if spec.kind is Kind.SWITCH:
        return bool(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)


def said(spec: Spec, value: Any) -> str:
    """Return a value in words, for "the file says …"."""
    if spec.kind is Kind.SWITCH:
        return "on" if value else "off"
    if spec.kind is Kind.CHECKS:
        return ", ".join(value or ()) or "none"
    if spec.kind in (Kind.CHOICE, Kind.SELECT):
        return next((option[1] for option in spec.options if option[0] == value), str(value))
    text = str(shown(spec, value)).replace("\n", ", ")
    return (text if len(text) <= 80 else f"{text[:79]}…") or "nothing"


def _pairs(text: str) -> dict[str, str]:
    found = {}
    for line in text.split("\n"):
        path, _, meaning = line.partition("=")
        if line.strip():
            found[path.strip()] = meaning.strip()
    return found


def _number(text: str, *, whole: bool) -> Any:
    try:
        number = float(text)
    except ValueError:
        return text
    if whole and text.lstrip("+-").isdecimal():
        return int(text)
    return number


def get(document: Mapping[str, Any], path: Sequence[str]) -> tuple[bool, Any]:
    """Return whether a document holds a path, and what."""
    value: Any = document
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return False, None
        value = value[part]
    return True, value


def put(document: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a path of a document."""
    for part in path[:-1]:
        below = document.get(part)
        document[part] = dict(below) if isinstance(below, Mapping) else {}
        document = document[part]
    document[path[-1]] = value


def drop(document: dict[str, Any], path: Sequence[str]) -> None:
    """Remove a path of a document, and blocks that it leaves empty."""
    below = document.get(path[0])
    if len(path) == 1:
        document.pop(path[0], None)
    elif isinstance(below, Mapping):
        copied = dict(below)
        drop(copied, path[1:])
        document[path[0]] = copied
        if not copied:
            del document[path[0]]
