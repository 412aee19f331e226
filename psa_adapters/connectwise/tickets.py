"""ConnectWise's tickets and notes in standard form, and changes as PATCH operations.

https://developer.connectwise.com/Products/ConnectWise_PSA/REST#/Tickets
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bridge.errors import ValueRejected
from bridge.model import Category, Change, Choice, Field, Message, Ticket, TicketRef
from psa_adapters.connectwise.client import LABEL, Record
from psa_adapters.connectwise.options import Options
from psa_adapters.times import moment

SERVICE_TICKET = "serviceticket"
REFS = {
    Field.PRIORITY: "priority",
    Field.OWNER: "owner",
    Field.TEAM: "team",
    Field.STATUS: "status",
}
WORDS = {Field.SEVERITY: "severity", Field.IMPACT: "impact"}
CATEGORY_PARTS = ("type", "subType", "item")
WRITE_ORDER = (
    Field.CATEGORY,
    Field.SEVERITY,
    Field.IMPACT,
    # A tenant may derive the priority from severity and impact; the one that was asked for comes after them.
    Field.PRIORITY,
    Field.TEAM,
    Field.OWNER,
    Field.STATUS,
)

Operation = dict[str, Any]


def is_service_ticket(record: Record) -> bool:
    return str(record.get("recordType") or SERVICE_TICKET).lower() == SERVICE_TICKET


def read_ticket(connection: str, record: Record, description: str, options: Options) -> Ticket:
    """Build a Ticket from a GET or PATCH answer. A value that is not set is absent, never null."""
    number = str(record["id"])
    info = record.get("_info") if isinstance(record.get("_info"), dict) else {}
    values: dict[Field, Choice] = {}
    for field, name in REFS.items():
        ref = _choice(record.get(name))
        if ref is not None:
            values[field] = ref
    for field, name in WORDS.items():
        if record.get(name):
            values[field] = Choice(str(record[name]), str(record[name]))
    contact = _choice(record.get("contact"))
    return Ticket(
        ref=TicketRef(connection, number),
        number=number,
        title=str(record.get("summary") or ""),
        description=description,
        company=_choice(record.get("company")),
        requester=contact.name if contact else str(record.get("contactName") or ""),
        requester_email=str(record.get("contactEmailAddress") or ""),
        scope=_choice(record.get("board")),
        source=_choice(record.get("source")),
        category=_category(record),
        values=values,
        created=moment(_info(info, "dateEntered")),
        closed=record.get("closedFlag") is True,
        url=_page_of(number, options),
        version=_info(info, "lastUpdated"),
        native={
            "held": [name for name in CATEGORY_PARTS if record.get(name)],
            "customFields": record.get("customFields") or [],
        },
    )


def operations(changes: Sequence[Change], native: Mapping[str, object], *, silent: bool = True) -> list[Operation]:
    """Turn changes into one PATCH body: whole objects, paths without a leading slash.

    Type, subtype and item always travel together, so that no half of an old path survives. `silent` keeps
    ConnectWise from sending mail about the update. Raises ValueRejected for an id that is none of its own.
    """
    wanted = {change.field: change.after for change in changes}
    found: list[Operation] = []
    for field in WRITE_ORDER:
        value = wanted.get(field)
        if isinstance(value, Category):
            found.extend(_category_operations(value, native))
        elif value is not None and field in WORDS:
            found.append(_replace(WORDS[field], value.id))
        elif value is not None:
            found.append(_replace(REFS[field], {"id": _id(value)}))
    if silent:
        found.append(_replace("processNotifications", False))
    return found


def touched_names(changes: Sequence[Change]) -> set[str]:
    """Return the lower-case names under which ConnectWise would complain about these changes."""
    names: set[str] = set()
    for change in changes:
        if change.field is Field.CATEGORY:
            names |= {name.lower() for name in CATEGORY_PARTS}
        else:
            names.add(REFS.get(change.field) or WORDS.get(change.field, change.field.value))
    return names


def custom_fields(native: Mapping[str, object]) -> Operation:
    """Return the operation that gives ConnectWise its own custom fields back."""
    return _replace("customFields", native.get("customFields") or [])


def _category_operations(category: Category, native: Mapping[str, object]) -> Iterable[Operation]:
    held = native.get("held")
    for name, part in zip(CATEGORY_PARTS, (category.type, category.subtype, category.item), strict=True):
        if part is not None:
            yield _replace(name, {"id": _id(part)})
        elif isinstance(held, list) and name in held:
            yield {"op": "remove", "path": name}


def _replace(path: str, value: Any) -> Operation:
    return {"op": "replace", "path": path, "value": value}


def _id(choice: Choice) -> int:
    try:
        return int(choice.id)
    except ValueError:
        raise ValueRejected(f"{LABEL}: update", f"“{choice.name}” is not a value of this ConnectWise") from None


def _choice(ref: Any) -> Choice | None:
    if not isinstance(ref, dict) or ref.get("id") is None:
        return None
    identifier = ref.get("identifier")
    return Choice(
        str(ref["id"]),
        str(ref.get("name") or identifier or ref["id"]),
        aliases=(str(identifier),) if identifier else (),
    )


def _category(record: Record) -> Category | None:
    type_, subtype, item = (_choice(record.get(name)) for name in CATEGORY_PARTS)
    return Category(type_, subtype, item) if type_ else None


def _info(info: Any, name: str) -> str:
    value = info.get(name) if isinstance(info, dict) else None
    return value if isinstance(value, str) else ""


def _page_of(number: str, options: Options) -> str:
    host = options.host.removeprefix("api-")
    port = f":{options.port}" if options.port else ""
    return (
        f"{options.scheme}://{host}{port}/v4_6_release/services/system_io/Service/"
        f"fv_sr100_request.rails?service_recid={number}&companyName={options.company_id}"
    )


# --- notes --------------------------------------------------------------------------------------------------


def is_public(note: Record) -> bool:
    """Tell whether a note is part of the discussion with the customer and nothing else."""
    return note.get("detailDescriptionFlag") is True and note.get("internalAnalysisFlag") is not True


def is_internal(note: Record) -> bool:
    """Tell whether a note is provably kept from the customer: internal analysis and no other place.

    `internalFlag` and `externalFlag` say something else: live discussion notes carry internalFlag true.
    """
    return (
        note.get("internalAnalysisFlag") is True
        and note.get("detailDescriptionFlag") is not True
        and note.get("resolutionFlag") is not True
    )


def by_age(notes: Iterable[Record]) -> list[Record]:
    """Sort notes from oldest to newest."""
    return sorted(notes, key=lambda note: (note_time(note) or datetime.min.replace(tzinfo=UTC), note.get("id", 0)))


def note_time(note: Record) -> datetime | None:
    info = note.get("_info")
    return (
        moment(note.get("dateCreated"))
        or moment(note.get("timeStart"))
        or moment(_info(info, "dateEntered"))
        or moment(_info(info, "lastUpdated"))
    )


def text_of(note: Record) -> str:
    return str(note.get("text") or "").strip()


def description_of(notes: Iterable[Record]) -> str:
    """Return the first customer-visible text; "" where there is none."""
    return next((text_of(note) for note in by_age(notes) if is_public(note) and text_of(note)), "")


def message(note: Record) -> Message:
    contact, member = _choice(note.get("contact")), _choice(note.get("member"))
    writer = contact or member
    return Message(
        author=writer.name if writer else str(note.get("createdBy") or ""),
        text=text_of(note),
        at=note_time(note),
        from_customer=contact is not None,
    )
