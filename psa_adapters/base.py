"""What every PSA adapter offers. The guide with judgement is README.md beside this file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from marshmallow import Schema

from bridge.model import Change, Field, Finding, Message, Taxonomy, Ticket, TicketRef
from bridge.reach import Reach


@dataclass(frozen=True)
class WebhookRequest:
    """A webhook as it came in; header names in lower case, the body untouched."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Doorbell:
    """What an authentic webhook says: look at these tickets, or `ignored` with the reason.

    `sweep` asks for a catch-up pass: authentic, but no ticket could be told from it. `recheck` asks to look
    after the webhook registration itself (a deactivation call, which is never trusted as such).
    """

    tickets: tuple[str, ...] = ()
    ignored: str = ""
    sweep: bool = False
    recheck: bool = False


@dataclass(frozen=True)
class Registration:
    """A webhook as the PSA holds it."""

    id: str
    url: str
    active: bool
    detail: str = ""


@dataclass(frozen=True)
class Runtime:
    """What an adapter is given besides its options, so that tests own time and metrics see calls.

    `reach`: which addresses its clients may connect to. `account`: whose limits its calls count towards, over all
    processes; "" for one that shares them with nobody.
    """

    sleep: Callable[[float], None]
    clock: Callable[[], float]
    now: Callable[[], datetime]
    observe: Callable[[str, int, float], None] = field(default=lambda _where, _status, _seconds: None)
    reach: Reach = Reach.VENDOR
    account: str = ""


class PSAAdapter(Protocol):
    """One PSA account. Every method may raise TemporaryError or a PermanentError of bridge.errors."""

    name: ClassVar[str]  # the key in bridge.yaml and in /webhooks/<psa>/
    label: ClassVar[str]  # the product's name as its users write it
    schema: ClassVar[type[Schema]]  # its block of bridge.yaml; secrets are bridge.fields.Secret
    levels: ClassVar[int]  # category levels: 2 or 3
    level_names: ClassVar[tuple[str, ...]]  # what the product calls them
    scope_name: ClassVar[str]  # what `when.boards` filters: "board", "queue", "ticket type"
    writes: ClassVar[frozenset[Field]]  # what this PSA can hold; drives policy, prompt and README matrix
    busy_status: ClassVar[int]  # what to answer a webhook that could not be stored: 429 or 503
    plain_notes: ClassVar[bool]  # False where add_note turns plain text into HTML itself

    def __init__(self, connection: str, options: Mapping[str, Any], runtime: Runtime) -> None:
        """Take the connection id and the loaded `schema` block, its secrets resolved to plain text."""

    def read_webhook(self, request: WebhookRequest) -> Doorbell:
        """Authenticate a webhook and tell which tickets it rings for; raise WebhookRejected otherwise."""

    def get_ticket(self, ref: TicketRef, *, text: bool = True) -> Ticket:
        """Read one ticket from the API; NotFound where it is gone or is not a service ticket.

        Without `text` the description may be empty: a caller that only compares values spares the call that
        some PSAs need for it.
        """

    def get_taxonomy(
        self, ticket: Ticket, fields: Collection[Field] = (), *, fresh: bool = False, categories: bool = True
    ) -> Taxonomy:
        """Return the legal, active paths in the ticket's scope, and the value lists of `fields`.

        Cached; `fresh` reads again. A field this PSA cannot hold is absent from `choices`. Without `categories`
        none are returned, and an account that may not read them has the value lists all the same.
        """

    def get_conversation(self, ticket: Ticket) -> tuple[Message, ...]:
        """Return the customer-visible conversation, oldest first; never an internal note."""

    def update_ticket(self, ticket: Ticket, changes: Sequence[Change]) -> Ticket:
        """Write all changes in one request and return the ticket as the PSA then holds it.

        Safe to repeat, but a request whose answer was lost is not repeated here: TemporaryError makes the caller
        read the ticket again and see whether the write arrived. The caller compares; a value the PSA silently kept
        is no error here. Raises ValueRejected where the PSA names a refused value.
        """

    def add_note(self, ticket: Ticket, text: str, *, key: str) -> str:
        """Add an INTERNAL note and return its id; NotInternal where that cannot be promised.

        `text` contains `key`. Safe to repeat: an internal note that holds `key` already is returned instead.
        """

    def add_reply(self, ticket: Ticket, text: str, *, key: str) -> str:
        """Add a customer-visible reply; only ever called when a technician pressed the button.

        The customer reads `text` as it is, so `key` is not in it; a reply with the same text by our own
        account within the last hour counts as the same reply.
        """

    def list_created(self, since: datetime) -> Iterator[TicketRef]:
        """Yield service tickets created at or after `since` that are not closed, oldest first."""

    def check(self) -> list[Finding]:
        """Try credentials, reads and the permission for each write, without changing anything."""

    def hourly_use(self) -> float | None:
        """Return how much of its fullest hourly call budget this process has used, 0 to 1; None without one."""

    def webhooks(self) -> list[Registration]:
        """List our webhooks at the PSA; NotSupported with the steps to do by hand."""

    def install_webhook(self, url: str) -> Registration:
        """Register `url` for new tickets, or repair what is there; NotSupported with the steps."""

    def remove_webhook(self, registration: Registration) -> None:
        """Take a webhook away; NotSupported with the steps."""

    def webhook_url(self, url: str) -> str:
        """Return `url` with what this PSA needs on it (a secret token, a parameter), to copy and paste."""
