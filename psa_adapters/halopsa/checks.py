"""What `psa-bridge check` asks of a HaloPSA tenant: reads only, one finding per right or list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bridge.errors import AuthRejected, BridgeError, NotFound, NotSupported
from bridge.model import Field, Finding, Level
from psa_adapters.halopsa.catalogue import LOOKUPS, Catalogue
from psa_adapters.halopsa.client import HaloClient
from psa_adapters.halopsa.hooks import Hooks
from psa_adapters.halopsa.notes import Notes
from psa_adapters.halopsa.shapes import Row, one, positive, rows, words
from psa_adapters.halopsa.tickets import sla_of

Question = Callable[[], Iterator[Finding]]
ROLE = "Configuration > Teams & Agents > Roles, the role of the API agent"


class Checks:
    """Runs every question; one that fails becomes a finding and the rest still run."""

    def __init__(
        self, client: HaloClient, catalogue: Catalogue, notes: Notes, hooks: Hooks, category_field: int
    ) -> None:
        self._client, self._catalogue, self._notes, self._hooks = client, catalogue, notes, hooks
        self._field = category_field
        self._newest: Row = {}

    def run(self) -> list[Finding]:
        signed_in = self._ask("sign-in", self._sign_in)
        if any(finding.level is Level.FAILED for finding in signed_in):
            return signed_in
        questions: list[tuple[str, Question]] = [
            ("tickets", self._tickets),
            ("clients", self._clients),
            ("ticket types and categories", self._categories),
            ("priorities", self._priorities),
            ("impact and urgency", self._lookups),
            ("statuses and teams", self._lists),
            ("owners", self._owners),
            ("internal notes", self._outcomes),
            ("webhook", self._webhooks),
        ]
        return signed_in + [finding for subject, question in questions for finding in self._ask(subject, question)]

    def _ask(self, subject: str, question: Question) -> list[Finding]:
        found: list[Finding] = []
        try:
            found.extend(question())
        except BridgeError as error:
            found.append(Finding(Level.FAILED, subject, str(error)))
        return found

    def _sign_in(self) -> Iterator[Finding]:
        try:
            self._client.token(fresh=True)
        except NotFound as error:
            told = words(self._client.authinfo().get("auth_url"))
            hint = f"; this server says auth_url is {told}" if told else ""
            yield Finding(Level.FAILED, "sign-in", f"{error}{hint}")
            return
        yield Finding(Level.OK, "sign-in", f"a token for {self._client.scope}")

    def _tickets(self) -> Iterator[Finding]:
        where = "HaloPSA: list tickets"
        params: dict[str, Any] = {
            "pageinate": "true",
            "page_size": 1,
            "page_no": 1,
            "order": "id",
            "orderdesc": "true",
        }
        listed = rows(self._client.get("Tickets", where=where, **params), "tickets")
        if not listed:
            detail = f"no ticket is visible; if there are any, set Tickets Access Level in {ROLE}"
            yield Finding(Level.WARNING, "tickets", detail)
            return
        number = positive(listed[0].get("id"))
        self._newest = one(self._client.get(f"Tickets/{number}", where=where, includedetails="true"))
        self._notes.actions(str(number), last=1)
        if self._newest.get("_canupdate") is False:
            detail = (
                f"may read but not change: set Tickets Access Level to Read and Modify in {ROLE}, and allow "
                "editing of tickets not assigned to them, viewing unassigned tickets and tickets of others, "
                "re-assigning, and always updating statuses and re-assigning outside of actions"
            )
            yield Finding(Level.FAILED, "tickets", detail)
            return
        tells = (
            "HaloPSA says it may be changed"
            if "_canupdate" in self._newest
            else "rights show with the first write"
        )
        yield Finding(Level.OK, "tickets", f"tickets and their actions can be read; {tells}")

    def _clients(self) -> Iterator[Finding]:
        try:
            self._client.get("Client", where="HaloPSA: list clients", count=1)
        except AuthRejected:
            detail = (
                f"scope read:customers, or Customers: Read Only in {ROLE}, is missing; client names may be too"
            )
            yield Finding(Level.WARNING, "clients", detail)
            return
        yield Finding(Level.OK, "clients", "can be read")

    def _categories(self) -> Iterator[Finding]:
        subject = "ticket types and categories"
        answer = self._client.get("TicketType", where="HaloPSA: read the ticket types", domain="reqs")
        types = rows(answer, "tickettypes")
        kind = positive(self._newest.get("tickettype_id"))
        offered = self._catalogue.categories(kind, fresh=True)
        if not offered:
            detail = (
                f"list {self._field} has no category this ticket type may use; category_field chooses between the "
                "four lists (Configuration > Tickets > Categories)"
            )
            yield Finding(Level.FAILED, subject, detail)
            return
        of = words(next((row.get("name") for row in types if positive(row.get("id")) == kind), "")) or "any type"
        detail = f"{len(types)} ticket types; {len(offered)} categories in list {self._field} for {of}"
        yield Finding(Level.OK, subject, detail)

    def _priorities(self) -> Iterator[Finding]:
        sla = sla_of(self._newest)
        if sla is None:
            yield Finding(Level.WARNING, "priorities", "no ticket with an SLA to read the priorities of")
            return
        names = [choice.name for choice in self._catalogue.priorities(sla, fresh=True)]
        level = Level.OK if names else Level.FAILED
        yield Finding(
            level, "priorities", f"least to most serious: {', '.join(names)}" if names else "none visible"
        )

    def _lookups(self) -> Iterator[Finding]:
        for name in (Field.IMPACT.value, Field.URGENCY.value):
            names = [choice.name for choice in self._catalogue.lookup(name, fresh=True)]
            number = self._catalogue.lookup_number(name) or LOOKUPS[name][1]
            if names:
                yield Finding(Level.OK, name, f"least to most serious: {', '.join(names)}")
            else:
                yield Finding(Level.WARNING, name, f"lookup {number} has no values, so {name} cannot be written")

    def _lists(self) -> Iterator[Finding]:
        kind = positive(self._newest.get("tickettype_id"))
        for name, listed in (
            ("statuses", self._catalogue.statuses(kind, fresh=True)),
            ("teams", self._catalogue.teams(kind, fresh=True)),
        ):
            level = Level.OK if listed else Level.WARNING
            yield Finding(level, name, f"{len(listed)} can be read")

    def _owners(self) -> Iterator[Finding]:
        try:
            found = len(self._catalogue.agents(fresh=True))
        except AuthRejected as error:
            yield Finding(Level.WARNING, "owners", f"{error.hint}; escalation to an owner will not work")
            return
        yield Finding(Level.OK, "owners", f"{found} agents can be read")

    def _outcomes(self) -> Iterator[Finding]:
        subject = "internal notes"
        first = self._notes.note_outcomes()[0]
        if not first.row:
            detail = (
                f"outcome {first.label} is not in the list of outcomes the API agent can see; allow it, or name "
                "another one in note_outcome"
            )
            yield Finding(Level.WARNING, subject, detail)
        elif first.forces_status:
            detail = f"outcome {first.label} also changes the ticket's status; choose another one in note_outcome"
            yield Finding(Level.WARNING, subject, detail)
        else:
            yield Finding(
                Level.OK, subject, f"outcome {first.label}; every note is read back as hidden from the user"
            )

    def _webhooks(self) -> Iterator[Finding]:
        try:
            listed = self._hooks.listed()
        except NotSupported:
            yield Finding(Level.WARNING, "webhook", "cannot be read with this scope; look at its Deliveries tab")
            return
        active = [hook for hook in listed if hook.active]
        if active:
            yield Finding(Level.OK, "webhook", "; ".join(f"{hook.url} ({hook.detail})" for hook in active))
        else:
            yield Finding(
                Level.WARNING, "webhook", "none points at this bridge, or it was switched off after failures"
            )
