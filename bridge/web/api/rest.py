"""The small operations: who the caller is, costs, reply drafts."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from bridge import __version__
from bridge.costs import monthly
from bridge.errors import NotFound
from bridge.model import TicketRef
from bridge.scopes import SCOPES
from bridge.web.api.operations import Answer, Call, Operation
from bridge.web.api.problems import Refused
from bridge.web.api.shapes import Instant, Shape, says
from bridge.web.ids import TICKET, is_ticket


class OwnToken(Shape):
    name = fields.String(required=True)
    scopes = fields.List(fields.String(validate=validate.OneOf(tuple(SCOPES))), required=True)
    organization = fields.String(required=True, allow_none=True, metadata=says("null: every organization."))
    created = Instant(required=True)
    expires = Instant(required=True, allow_none=True)


class OrganizationName(Shape):
    id = fields.String(required=True)
    name = fields.String(required=True)
    enabled = fields.Boolean(required=True, metadata=says("The master switch of its AI."))


class Me(Shape):
    token = fields.Nested(OwnToken, required=True)
    organizations = fields.List(fields.Nested(OrganizationName), required=True)
    version = fields.String(required=True, metadata=says("Of the bridge."))


class MonthlyCost(Shape):
    organization = fields.String(required=True)
    month = fields.String(required=True, metadata=says("For example `2026-11`, in UTC."))
    runs = fields.Integer(required=True)
    asked = fields.Integer(required=True, metadata=says("Runs that asked an AI."))
    usd = fields.Float(required=True, metadata=says("The known part."))
    unpriced = fields.Integer(required=True, metadata=says("Of `asked`: runs whose price is not known."))


class Costs(Shape):
    items = fields.List(fields.Nested(MonthlyCost), required=True)


class CostQuery(Shape):
    organization = fields.String(metadata=says("Only of this organization."))
    months = fields.Integer(
        load_default=12, validate=validate.Range(1, 36), metadata=says("How many, the present one included.")
    )


class TicketId(fields.String):
    """What can be a ticket's id in a PSA, and nothing that leads to another address there."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not is_ticket(value):
            raise ValidationError("must be a ticket's id: letters, digits, hyphens and underscores")
        return value


class DraftRequest(Shape):
    connection = fields.String(required=True)
    ticket = TicketId(required=True, metadata={"description": "Its id in the PSA.", "pattern": f"^{TICKET}$"})


class Draft(Shape):
    connection = fields.String(required=True)
    ticket = fields.String(required=True)
    text = fields.String(required=True, metadata=says("Kept nowhere."))


def get_me(call: Call) -> Answer:
    """Return the token's own rights."""
    organizations = [
        {"id": found.id, "name": found.name or found.id, "enabled": found.ai.enabled}
        for found in call.caller.organizations().values()
    ]
    return Answer({"token": call.caller.token, "organizations": organizations, "version": __version__})


def list_costs(call: Call) -> Answer:
    """Sum up costs per organization and month, oldest month first."""
    bridge, wanted = call.caller.bridge, call.query.get("organization")
    now = bridge.clock.now()
    names = [key for key in call.caller.organizations() if wanted in (None, key)]
    return Answer(
        {"items": [row for name in names for row in monthly(bridge.store, name, now, call.query["months"])]}
    )


def create_draft(call: Call) -> Answer:
    """Draft a reply to the customer from what the customer can see already."""
    _organization, connection = call.caller.connection(call.body["connection"])
    ref = TicketRef(connection.id, call.body["ticket"])
    try:
        text = call.caller.bridge.replies.draft(ref)
    except NotFound as error:
        raise Refused("not-found", f"the ticket cannot be read: {error.hint}") from error
    return Answer({"connection": ref.connection, "ticket": ref.id, "text": text})


OPERATIONS = (
    Operation("GET", "/me", None, "Read the token's own rights", Me, get_me),
    Operation("GET", "/costs", "runs:read", "Sum up costs", Costs, list_costs, query=CostQuery),
    Operation(
        "POST",
        "/drafts",
        "drafts:write",
        "Draft a reply",
        Draft,
        create_draft,
        description="Takes as long as the AI takes. Nothing is sent to the customer, and its text is kept "
        "nowhere. Refused (409) where replies are switched off or the client's tickets must not go to this AI.",
        body=DraftRequest,
        refuses=("not-found", "conflict", "upstream"),
    ),
)
