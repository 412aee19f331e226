"""The audit log: who changed what, through the console, the API, the command line or single sign-on.

What the bridge itself wrote to tickets is read from the run log, where it is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from marshmallow import fields, validate

from bridge.model import TicketRef
from bridge.settings.model import Organization
from bridge.store.audit import ACTIONS, Asked, Owned
from bridge.store.writes import BRIDGE, TICKET_WRITTEN, Sought
from bridge.web.api import shapes
from bridge.web.api.callers import Caller
from bridge.web.api.operations import Answer, Call, Operation
from bridge.web.api.problems import Refused
from bridge.web.api.shapes import Instant, Shape, says

LARGEST_ID = 2**63 - 1


class AuditEntry(Shape):
    """One act. It names keys and fields, never a value and never ticket text."""

    id = fields.Integer(
        required=True, allow_none=True, metadata=says("null for `ticket.write`, which its `detail.run` names.")
    )
    at = Instant(required=True)
    who = fields.String(
        required=True,
        metadata=says(
            "A user's name; `token:NAME` for a program; `psa-bridge (USER)` for a command; "
            "`psa-bridge` for the bridge itself."
        ),
    )
    action = fields.String(required=True, metadata=says("For example `settings.change`."))
    target = fields.String(
        required=True,
        metadata=says("What it was done to: an organization, a connection, a run, a ticket …"),
    )
    detail = fields.Dict(
        keys=fields.String(),
        required=True,
        metadata=says(
            "By action; for example which keys. Of `ticket.write`: organization, run, fields written, fields "
            "the PSA changed along with them (derived), ids of notes."
        ),
    )


class AuditPage(Shape):
    items = fields.List(fields.Nested(AuditEntry), required=True)
    next = shapes.Cursor(
        required=True, allow_none=True, metadata=says("The cursor of the next page; null after the last.")
    )


class AuditQuery(shapes.Page):
    organization = fields.String(metadata=says("Only of this organization."))
    who = fields.String(metadata=says("Only what this user or token did."))
    action = fields.String(
        validate=validate.OneOf((*ACTIONS, TICKET_WRITTEN)),
        metadata=says(
            "Only acts of this kind. `ticket.write`, which is in no other list: what the bridge itself wrote to "
            "tickets, one entry for each finished run that changed fields or left a note, for as long as runs are "
            "kept."
        ),
    )
    target = fields.String(metadata=says("Only what was done to this; a ticket is `connection:id`."))
    since = Instant(metadata=says("Only at this instant or later."))
    until = Instant(metadata=says("Only before this instant."))


def list_audit(call: Call) -> Answer:
    """List the audit log, newest first."""
    query, limit = call.query, call.query["limit"]
    texts = [query.get(name) for name in ("organization", "who", "target")]
    # A database refuses some characters that no name has.
    selects = all(text is None or text.isprintable() for text in texts)
    if query.get("action") == TICKET_WRITTEN:
        return _list_writes(call, selects)
    found = []
    if selects:
        asked = Asked(
            **_scope(call.caller, query.get("organization")),
            who=query.get("who"),
            action=query.get("action"),
            target=query.get("target"),
            since=query.get("since"),
            until=query.get("until"),
        )
        found = call.caller.bridge.store.audit.page(asked, before=_before(query.get("cursor")), limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return Answer({"items": found[:limit], "next": (last.at, str(last.id)) if last else None})


def _list_writes(call: Call, selects: bool) -> Answer:
    query, limit = call.query, call.query["limit"]
    after = query.get("cursor")
    if after is not None and ":" not in after[1]:
        raise _not_of_this_list()
    wanted = query.get("organization")
    names = [key for key in call.caller.organizations() if wanted in (None, key)]
    sought = _sought(names, query.get("who"), query.get("target"), query.get("since"), query.get("until"))
    found = []
    if selects and sought is not None:
        found = call.caller.bridge.store.writes.page(sought, before=after, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    items = [
        {
            "id": None,
            "at": write.at,
            "who": BRIDGE,
            "action": TICKET_WRITTEN,
            "target": str(write.ref),
            "detail": write.detail,
        }
        for write in found[:limit]
    ]
    return Answer({"items": items, "next": (last.at, last.run) if last else None})


def _sought(
    organizations: Collection[str],
    who: str | None = None,
    target: str | None = None,
    since: float | None = None,
    until: float | None = None,
) -> Sought | None:
    """Return which writes of the bridge itself filters of the audit log choose; None where there can be none."""
    if who not in (None, BRIDGE):
        return None
    if target is None:
        return Sought(organizations, None, since, until)
    connection, colon, ticket = target.partition(":")
    return Sought(organizations, TicketRef(connection, ticket), since, until) if colon else None


def _scope(caller: Caller, wanted: str | None) -> dict[str, Owned]:
    """Return what of the log a caller may see.

    A token of one organization sees what concerns that one alone. What concerns the installation (users, prompts,
    tokens for every organization) is for tokens that see them all; organizations without a licence are for none.
    """
    shown = caller.organizations()
    if wanted is not None or caller.token.organization is not None:
        return {"only": owned(found for key, found in shown.items() if wanted in (None, key))}
    everyone = caller.bridge.settings.organizations
    return {"hidden": owned(found for key, found in everyone.items() if key not in shown)}


def owned(organizations: Iterable[Organization]) -> Owned:
    """Return what marks entries as those of some organizations."""
    all_ = list(organizations)
    return Owned([one.id for one in all_], [key for one in all_ for key in one.connections])


def _before(cursor: tuple[float, str] | None) -> int | None:
    if cursor is None:
        return None
    id_ = cursor[1]
    if not (id_.isascii() and id_.isdecimal()) or len(id_) > 19 or int(id_) > LARGEST_ID:
        raise _not_of_this_list()
    return int(id_)


def _not_of_this_list() -> Refused:
    told = "is not a cursor of this list; take `next` of the page before as it is"
    return Refused("invalid", "the query does not fit", errors=[("cursor", told)])


OPERATIONS = (
    Operation(
        "GET",
        "/audit",
        "audit:read",
        "List the audit log",
        AuditPage,
        list_audit,
        description="A token of one organization sees what concerns that organization; one that sees them all "
        "also what concerns the installation: users, prompts, tokens. Give the scope to those only who would be "
        "owner or admin in the console.",
        query=AuditQuery,
    ),
)
