"""Reply: a draft for the next answer to the customer, from what the customer can see already. Nothing is sent."""

from __future__ import annotations

from bridge.ai import Prompt
from bridge.answer import read_reply, reply_schema
from bridge.errors import AnswerRejected, NotUsable, PermanentError
from bridge.model import Capability, Choice, Message, Ticket, TicketRef
from bridge.prompts import Rendered
from bridge.settings.model import ClientPolicy, Organization
from bridge.triage.decide import DEFAULT_MAX_TOKENS, ticket_context
from bridge.triage.desk import Desk

TEMPLATE = "reply.md.j2"
RECENT = 30
"""How many messages of a conversation leave at most; the newest say what the next reply is about."""


def off(desk: Desk) -> str:
    """Say why no reply may be drafted for any ticket of a connection; empty if it may."""
    organization = desk.organization
    if not organization.licensed:
        return "AI ticketing is not licensed for this organization"
    if not organization.ai.enabled:
        return "AI ticketing is switched off for this organization"
    if not organization.replies.enabled:
        return "suggested replies are switched off for this organization"
    return "" if desk.connection.enabled else "this connection is switched off"


def forbidden(organization: Organization, company: Choice | None) -> str:
    """Say why no reply may be drafted for a client's tickets; empty if it may."""
    policy = organization.rule_for(company).ai
    if policy is ClientPolicy.NEVER:
        return "tickets of this client must not be sent to an AI"
    if policy is ClientPolicy.LOCAL and all(used.provider != "local" for used in organization.ai.providers):
        return "tickets of this client may only go to a local AI server, and none is configured"
    return ""


def refusal(desk: Desk, ref: TicketRef) -> str:
    """Say why no reply may be drafted for a ticket; empty if it may. Reads the ticket only where rules need it."""
    why = off(desk)
    if why or all(rule.ai is ClientPolicy.DEFAULT for rule in desk.organization.clients):
        return why
    return forbidden(desk.organization, desk.adapter.get_ticket(ref).company)


def draft(desk: Desk, ref: TicketRef) -> str:
    """Return a draft from the public conversation; NotUsable where policy forbids it.

    Also raises what the PSA and the AI raise. The text is stored nowhere.
    """
    why = off(desk)
    if why:
        raise NotUsable("reply draft", why)
    ticket = desk.adapter.get_ticket(ref)
    why = forbidden(desk.organization, ticket.company)
    if why:
        raise NotUsable("reply draft", why)
    if ticket.closed:
        raise PermanentError("reply draft", "the ticket is closed")
    organization = desk.organization.for_client(ticket.company)
    return _asked(desk, organization, ticket, compose_reply(desk, organization, ticket))


def compose_reply(desk: Desk, organization: Organization, ticket: Ticket) -> Prompt:
    """Build the question for a draft from the public conversation; PermanentError where there is no text."""
    conversation = desk.adapter.get_conversation(ticket)[-RECENT:]
    if not ticket.description and not conversation:
        raise PermanentError("reply draft", "there is no customer-visible text to answer")
    return _prompt(desk, organization, ticket, conversation)


def _asked(desk: Desk, organization: Organization, ticket: Ticket, prompt: Prompt) -> str:
    asker = desk.asker(organization, Capability.REPLIES)
    privacy = organization.rule_for(ticket.company).ai.value
    limit = organization.variables.max_tokens(Capability.REPLIES) or DEFAULT_MAX_TOKENS
    first = asker.complete(prompt, max_tokens=limit, privacy=privacy)
    try:
        return read_reply(first.text)
    except AnswerRejected as rejected:
        again = Prompt(
            prompt.name, prompt.system, prompt.user, prompt.schema, prompt.fingerprint,
            feedback=(first.text, rejected.hint), shorten=prompt.shorten,
        )  # fmt: skip
    return read_reply(asker.complete(again, max_tokens=limit, privacy=privacy).text)


def _prompt(desk: Desk, organization: Organization, ticket: Ticket, conversation: tuple[Message, ...]) -> Prompt:
    rule = organization.rule_for(ticket.company)
    first = desk.clean(ticket.description)

    def rendered(messages: tuple[Message, ...], text: str) -> Rendered:
        return desk.prompts.render_prompt(
            TEMPLATE,
            {
                "product": desk.adapter.label,
                "organization": organization.name or organization.id,
                "instructions": organization.replies.instructions,
                "client_instructions": rule.instructions,
                "ticket": ticket_context(ticket, text),
                "conversation": _told(desk, messages, first),
            },
        )

    def made(rendering: Rendered, *, last: bool) -> Prompt:
        return Prompt(
            "ticket_reply", rendering.system, rendering.user, reply_schema(), rendering.fingerprint,
            shorten=None if last else shortened,
        )  # fmt: skip

    def shortened() -> Prompt:
        # The newest messages say what the reply is about; of the first text its beginning does.
        return made(rendered(conversation[-3:], first[:2000]), last=True)

    return made(rendered(conversation, first), last=False)


def _told(desk: Desk, messages: tuple[Message, ...], first: str) -> list[dict[str, object]]:
    """Return the conversation for the template, without a repetition of the ticket's first text."""
    told = [
        {"author": message.author, "text": desk.clean(message.text), "from_customer": message.from_customer}
        for message in messages
    ]
    return [entry for entry in told if entry["text"] and entry["text"] != first]
