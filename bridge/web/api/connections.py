"""Connections: how they stand, a sweep now, on and off."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from bridge.amend import switch
from bridge.errors import ConfigErrors
from bridge.guards import switched_off
from bridge.settings.model import Connection, Organization
from bridge.store.audit import SWEEP
from bridge.web.api.callers import Caller
from bridge.web.api.operations import Answer, Call, Operation
from bridge.web.api.problems import Refused
from bridge.web.api.settings import refused_settings
from bridge.web.api.shapes import Flag, Instant, Shape, says


class Alarm(Shape):
    name = fields.String(required=True)
    text = fields.String(required=True)
    since = Instant(required=True)


class ConnectionState(Shape):
    """One PSA account and what the bridge last heard of it."""

    id = fields.String(required=True)
    organization = fields.String(required=True)
    psa = fields.String(required=True)
    label = fields.String(required=True, metadata=says("The product's name."))
    enabled = fields.Boolean(required=True)
    active = fields.Boolean(required=True, metadata=says("Whether new tickets are handled."))
    inactive_because = fields.String(required=True, metadata=says("Empty where it is active."))
    webhook_url = fields.String(required=True, metadata=says("Without a secret that the PSA may need in it."))
    sweep_minutes = fields.Float(required=True, metadata=says("0: no sweeps."))
    last_event = Instant(required=True, allow_none=True, metadata=says("The last webhook, to the minute."))
    last_sweep = Instant(required=True, allow_none=True, metadata=says("Up to when the last sweep looked."))
    last_sweep_found = fields.String(required=True)
    alarms = fields.List(fields.Nested(Alarm), required=True)


class ConnectionList(Shape):
    items = fields.List(fields.Nested(ConnectionState), required=True)


class Switch(Shape):
    enabled = Flag(required=True)


class SweepBegun(Shape):
    status = fields.String(required=True, metadata=says("Always `accepted`."))


def list_connections(call: Call) -> Answer:
    """List the connections."""
    rows = [
        _state(call.caller, organization, connection)
        for organization in call.caller.organizations().values()
        for connection in organization.connections.values()
    ]
    return Answer({"items": rows})


def get_connection(call: Call) -> Answer:
    """Return one connection."""
    return Answer(_state(call.caller, *call.caller.connection(call.path["connection"])))


def sweep_connection(call: Call) -> Answer:
    """Catch up now on tickets whose webhook never came."""
    caller = call.caller
    organization, connection = caller.connection(call.path["connection"])
    off = switched_off(organization, connection)
    if off:
        raise Refused("conflict", off)
    # By the second, so that a request that is repeated because its answer was lost is one sweep.
    moment = caller.bridge.clock.now().strftime("%Y-%m-%dT%H:%M:%S")
    caller.bridge.engine.request(f"sweep:{connection.id}", moment)
    caller.bridge.store.audit.add(caller.name, SWEEP, connection.id, {"organization": organization.id})
    return Answer({"status": "accepted"})


def switch_connection(call: Call) -> Answer:
    """Switch a connection on or off."""
    caller = call.caller
    organization, connection = caller.connection(call.path["connection"])
    try:
        switch(caller.bridge, organization.id, connection.id, caller.name, enabled=call.body["enabled"])
    except ConfigErrors as error:
        raise refused_settings(error) from error
    return Answer(_state(caller, *caller.connection(connection.id)))


def _state(caller: Caller, organization: Organization, connection: Connection) -> dict[str, Any]:
    bridge = caller.bridge
    marks = bridge.store.watermarks.all()
    event, _note = marks.get(f"event:{connection.id}", (None, ""))
    swept, found = marks.get(f"sweep:{connection.id}", (None, ""))
    off = switched_off(organization, connection)
    public = bridge.settings.server.public_url.rstrip("/")
    return {
        **vars(connection),
        "organization": organization.id,
        "label": bridge.labels.get(connection.psa, connection.psa),
        "active": not off,
        "inactive_because": off,
        "webhook_url": f"{public}/webhooks/{connection.psa}/{connection.id}",
        "last_event": event,
        "last_sweep": swept,
        "last_sweep_found": found,
        "alarms": [alarm for alarm in bridge.store.alarms.all() if alarm.name.partition(":")[2] == connection.id],
    }


OPERATIONS = (
    Operation("GET", "/connections", "connections:read", "List connections", ConnectionList, list_connections),
    Operation(
        "GET",
        "/connections/{connection}",
        "connections:read",
        "Read a connection",
        ConnectionState,
        get_connection,
    ),
    Operation(
        "POST",
        "/connections/{connection}/sweep",
        "connections:write",
        "Catch up now",
        SweepBegun,
        sweep_connection,
        status=202,
        description="Asks the PSA for tickets whose webhook never came. The sweep goes on after the answer; "
        "`last_sweep` of the connection moves when it is done.",
        refuses=("conflict",),
    ),
    Operation(
        "PUT",
        "/connections/{connection}/enabled",
        "connections:write",
        "Switch a connection on or off",
        ConnectionState,
        switch_connection,
        description="Stored as a setting of its organization; the file is not changed.",
        body=Switch,
        refuses=("conflict",),
    ),
)
