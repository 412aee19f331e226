"""What `psa-bridge check` asks of a ConnectWise account. Nothing on any ticket is changed.

The names of rights are those of System > Security Roles. ConnectWise does not publish which right each API
call needs, so a finding names the usual one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from bridge.errors import AuthRejected, BridgeError, NotFound, TemporaryError
from bridge.model import Finding, Level
from psa_adapters.connectwise.client import LABEL, Client, Record
from psa_adapters.connectwise.registrations import Registrations
from psa_adapters.connectwise.taxonomy import Lists, is_active
from psa_adapters.connectwise.tickets import custom_fields

CHECKED_BOARDS = 10
NO_TICKET = 0


class Health:
    """Looks at one account and describes it, line by line."""

    def __init__(self, client: Client, lists: Lists, registrations: Registrations) -> None:
        self._client, self._lists, self._registrations = client, lists, registrations

    def findings(self) -> Iterator[Finding]:
        signed_in = self._try("Sign-in", "company_id, API keys and client_id", self._sign_in)
        yield signed_in
        if signed_in.level is Level.FAILED:
            return
        options = self._client.options
        if options.is_cloud and not options.host.startswith(("api-", "sandbox-")):
            yield Finding(
                Level.WARNING,
                "Host name",
                f"ConnectWise wants API calls at https://api-{options.host}; people's pages are at {options.host}",
            )
        yield from self._taxonomy()
        yield self._try("Priorities", "System > Table Setup: Inquire All", self._priorities)
        yield self._try("Owners", "System > Member Maintenance: Inquire All", self._owners)
        yield self._try("Read tickets", "Service Desk > Service Tickets: Inquire All", self._tickets)
        yield self._try("Write tickets", "Service Desk > Service Tickets: Edit All", self._may_write)
        yield self._callbacks()

    def _try(self, subject: str, right: str, look: Callable[[], str]) -> Finding:
        try:
            return Finding(Level.OK, subject, look())
        except AuthRejected as error:
            return Finding(Level.FAILED, subject, f"{error.hint}. Needed: {right}")
        except BridgeError as error:
            return Finding(Level.FAILED, subject, error.hint)

    def _sign_in(self) -> str:
        where = f"{LABEL}: sign in"
        try:
            info = self._client.get("/system/info", where=where)
        except NotFound as error:
            # The cloud answers so to wrong credentials and to a wrong codebase alike.
            hint = "; it may be company_id, public_key, private_key, the region of url, or a codebase you set"
            raise NotFound(where, error.hint + hint, status=error.status) from None
        version = info.get("version") if isinstance(info, dict) else None
        return f"ConnectWise PSA {version or 'of unknown version'}"

    def _taxonomy(self) -> Iterator[Finding]:
        right = "System > Table Setup: Inquire All (limited to the service tables is enough)"
        boards: list[Record] = []

        def listed() -> str:
            boards.extend(self._boards())
            return f"{len(boards)} active service boards"

        finding = self._try("Service boards", right, listed)
        if finding.level is Level.OK and not boards:
            finding = Finding(Level.FAILED, finding.subject, "the API member sees no board; check its locations")
        yield finding
        for board in boards[:CHECKED_BOARDS]:
            name, number = str(board.get("name", "")), str(board["id"])
            counted = self._try(f"Categories of “{name}”", right, partial(self._counted, number))
            if counted.detail == "0 legal paths":
                counted = Finding(Level.WARNING, counted.subject, "this board has no active type")
            yield counted

    def _counted(self, board: str) -> str:
        return f"{len(self._lists.categories(board, fresh=True))} legal paths"

    def _boards(self) -> list[Record]:
        conditions = "inactiveFlag=false and projectFlag=false"
        try:
            rows = self._client.rows("/service/boards", conditions=conditions)
            return [row for row in rows if is_active(row) and row.get("projectFlag") is not True]
        except AuthRejected:
            # The slim list needs less; the tables below it will tell what is missing.
            return [row for row in self._client.rows("/service/info/boards") if is_active(row)]

    def _priorities(self) -> str:
        names = [choice.name for choice in self._lists.priorities()]
        return "from least to most serious: " + ", ".join(names)

    def _owners(self) -> str:
        return f"{len(self._lists.owners())} members may own tickets"

    def _tickets(self) -> str:
        params = {"pageSize": 1, "fields": "id", "orderBy": "id desc"}
        rows = self._client.get("/service/tickets", params=params)
        if not isinstance(rows, list) or not rows:
            return "allowed; there is no ticket yet to try the notes of"
        self._client.get(f"/service/tickets/{int(rows[0]['id'])}/notes", params={"pageSize": 1, "fields": "id"})
        return "tickets and notes"

    def _may_write(self) -> str:
        # A ticket that cannot exist is patched: without the right the answer is 401 or 403 and not 404.
        reply = self._client.http.send(
            "PATCH",
            self._client.path_of(f"/service/tickets/{NO_TICKET}"),
            where="ConnectWise: try the right to write",
            json=[custom_fields({})],
            repeatable=True,
            accept=(400, 404, 405),
        )
        return f"not refused (tried without a ticket, HTTP {reply.status})"

    def _callbacks(self) -> Finding:
        subject, install = "Callback", "run `psa-bridge webhooks install`"
        try:
            ours = self._registrations.ours()
        except TemporaryError as error:
            return Finding(Level.FAILED, subject, error.hint)
        except BridgeError as error:
            return Finding(Level.WARNING, subject, f"the bridge cannot look after its callback: {error.hint}")
        if not ours:
            return Finding(Level.WARNING, subject, f"none is registered for this connection; {install}")
        if not any(registration.active for registration in ours):
            return Finding(Level.FAILED, subject, f"ConnectWise switched it off after failures; {install}")
        return Finding(Level.OK, subject, "registered and active")
