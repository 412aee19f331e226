"""What `psa-bridge check` says about an Autotask account. Nothing is changed: the one update names no ticket.

Rights are named as the security level's screen names them: Admin > Resources/Users (HR) > Security Levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bridge.errors import BridgeError, NotSupported
from bridge.model import Finding, Level
from psa_adapters.datto import answers, lists
from psa_adapters.datto.client import Client, condition
from psa_adapters.datto.lists import Picklists
from psa_adapters.datto.notes import Notes
from psa_adapters.datto.people import People
from psa_adapters.datto.registration import SECRET_LENGTHS, Hooks

RIGHTS = (
    ("Tickets", "Query", "Service Desk > Tickets > View: All", Level.FAILED),
    ("Tickets", "Update", "Service Desk > Tickets > Edit: Yes", Level.FAILED),
    ("TicketNotes", "Query", "Service Desk > Ticket Notes > View", Level.FAILED),
    ("TicketNotes", "Create", "Service Desk > Ticket Notes > Add", Level.FAILED),
    ("Companies", "Query", "CRM > Account & Contact Access: All", Level.FAILED),
    ("Contacts", "Query", "CRM > Account & Contact Access: All", Level.FAILED),
    ("Resources", "Query", "Admin > Feature Access > Resources/Users (HR)", Level.FAILED),
    ("TicketWebhooks", "Create", "Other > Can create webhooks (and a maximum above 0)", Level.WARNING),
)
WARN_USAGE = 0.75
NO_TICKET = 2**63 - 1
"""The largest id the API can hold; no ticket has it."""


class Checker:
    """Looks at everything a run will need."""

    def __init__(
        self,
        client: Client,
        tickets: Callable[[], Picklists],
        notes: Callable[[], Picklists],
        people: People,
        writer: Notes,
        hooks: Hooks,
        options: Mapping[str, Any],
    ) -> None:
        self._client, self._people, self._writer, self._hooks = client, people, writer, hooks
        self._tickets, self._notes, self._options = tickets, notes, options

    def run(self) -> list[Finding]:
        """Return the findings; a refused log-in ends the list, because everything else would repeat it."""
        findings = [self._try("zone", self._zone)]
        if findings[0].level is not Level.FAILED:
            findings.append(self._try("log-in and API usage", self._usage))
        if findings[-1].level is Level.FAILED:
            return findings
        findings += [self._right(*row) for row in RIGHTS]
        probes: tuple[tuple[str, Callable[[], Finding]], ...] = (
            ("tickets", self._read_tickets),
            ("ticket updates", self._update_route),
            ("issue types", self._issue_types),
            ("internal notes", self._internal_notes),
            ("owners", self._owners),
            ("webhook", self._webhook),
        )
        findings += [self._try(subject, probe) for subject, probe in probes]
        if self._options["impersonate"] is not None:
            findings.append(self._try("impersonation", self._impersonation))
        return findings

    def _try(self, subject: str, probe: Callable[[], Finding]) -> Finding:
        try:
            return probe()
        except BridgeError as error:
            return Finding(Level.FAILED, subject, str(error))

    def _zone(self) -> Finding:
        zone = self._client.zone()
        how = "as configured" if self._options["zone_url"] else f"looked up: {zone.name or 'unnamed'}"
        return Finding(Level.OK, "zone", f"{zone.api} ({how})")

    def _usage(self) -> Finding:
        usage = read_usage(self._client)
        if usage is None:
            return Finding(Level.WARNING, "log-in and API usage", "logged in; the API usage is not told")
        used, limit = usage
        own = self._client.budget.use()
        detail = f"{used} of {limit} requests in the last hour, all integrations together"
        if own.allowed:
            detail += f"; {own.calls} of our {own.allowed} by this process"
        if own.part is not None and own.part >= WARN_USAGE:
            return Finding(Level.WARNING, "log-in and API usage", f"{detail}; see `requests_per_hour`")
        if limit and used >= WARN_USAGE * limit:
            return Finding(
                Level.WARNING, "log-in and API usage", f"{detail}; Autotask slows every call from 50 % on"
            )
        return Finding(Level.OK, "log-in and API usage", detail)

    def _right(self, entity: str, act: str, right: str, missing: Level) -> Finding:
        subject = f"right: {entity} {act.lower()}"
        try:
            answer = self._client.get(f"{entity}/entityInformation", what=f"read rights on {entity}")
        except BridgeError as error:
            return Finding(missing, subject, f"{error}; needed: {right}")
        info = answer.get("info")
        told = info.get(f"userAccessFor{act}") if isinstance(info, dict) else None
        access = str(told).strip().lower()
        if access in ("none", "false", "0") and told is not None:
            return Finding(missing, subject, f"missing; set in the API user's security level: {right}")
        if access == "restricted":
            return Finding(Level.WARNING, subject, f"limited to some records; needed for all tickets: {right}")
        return Finding(Level.OK, subject, right if told is not None else f"not told by Autotask: {right}")

    def _read_tickets(self) -> Finding:
        rows = self._client.query(
            "Tickets", condition("gte", "id", 0), fields=("id",), what="read tickets", size=1
        )
        if next(rows, None) is None:
            return Finding(
                Level.WARNING, "tickets", "no ticket is visible; check Service Desk > Tickets > View: All"
            )
        return Finding(Level.OK, "tickets", "readable")

    def _update_route(self) -> Finding:
        # Single zones lack the route. An update of no field of no ticket is refused in words wherever it exists.
        what = "try the route for updates"
        accept = (400, 403, 404, 405, 500)
        reply = self._client.write(
            "PATCH", "Tickets", {"id": NO_TICKET}, what=what, repeatable=True, accept=accept
        )
        if reply.status == 405 or (reply.status == 404 and not answers.errors_of(reply)):
            return Finding(Level.FAILED, "ticket updates", answers.NO_PATCH)
        return Finding(Level.OK, "ticket updates", "offered (tried without a ticket)")

    def _issue_types(self) -> Finding:
        tickets = self._tickets()
        paths, lost = lists.categories(tickets), lists.orphans(tickets)
        if not paths:
            return Finding(Level.FAILED, "issue types", "no active issue type; there is nothing to choose from")
        detail = f"{len(paths)} active paths"
        if lost:
            return Finding(
                Level.WARNING,
                "issue types",
                f"{detail}; {lost} active sub-issue types belong to no active issue type and are left out",
            )
        return Finding(Level.OK, "issue types", detail)

    def _internal_notes(self) -> Finding:
        notes = self._notes()
        publish = lists.internal_publish(notes)
        type_ = lists.note_type(notes, self._options["note_type"])
        return Finding(Level.OK, "internal notes", f'visibility "{publish.label}", note type "{type_.label}"')

    def _owners(self) -> Finding:
        staff = self._people.staff(fresh=True)
        able = sum(bool(staff.roles.get(id_)) for id_ in staff.resources)
        level = Level.OK if able else Level.WARNING
        return Finding(level, "owners", f"{able} of {len(staff.resources)} active resources have a role to assign")

    def _webhook(self) -> Finding:
        if len(self._options["webhook"]["secret"]) not in SECRET_LENGTHS:
            return Finding(Level.FAILED, "webhook", "`webhook.secret` must have 10 to 64 characters")
        try:
            held = self._hooks.listed()
        except NotSupported as error:
            return Finding(Level.WARNING, "webhook", error.hint)
        if not held:
            return Finding(
                Level.WARNING, "webhook", "not registered; run `psa-bridge webhooks install`, or rely on the sweep"
            )
        broken = [hook for hook in held if not hook.active]
        if broken:
            return Finding(Level.WARNING, "webhook", "; ".join(f"{hook.id}: {hook.detail}" for hook in broken))
        return Finding(Level.OK, "webhook", "active and ready")

    def _impersonation(self) -> Finding:
        id_ = int(self._writer.acting()["ImpersonationResourceId"])
        row = self._people.staff().resources.get(id_)
        if row is None:
            return Finding(Level.FAILED, "impersonation", "`impersonate` names no active resource")
        if row.get("licenseType") in (5, 6):
            return Finding(
                Level.WARNING, "impersonation", "time & attendance and dashboard users usually cannot be used"
            )
        return Finding(
            Level.OK,
            "impersonation",
            'needs "Allow impersonation of resources with this security level" on that resource\'s level, and '
            "the impersonation ticks for Tickets and Ticket Notes on the API user's; only a write can prove it",
        )


def read_usage(client: Client) -> tuple[int, int] | None:
    """Return requests used and allowed in the rolling hour, over all integrations; None where not told."""
    answer = client.get("ThresholdInformation", what="read API usage")
    used, limit = answer.get("currentTimeframeRequestCount"), answer.get("externalRequestThreshold")
    if isinstance(used, int) and isinstance(limit, int):
        return used, limit
    return None
