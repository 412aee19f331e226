"""Decide: read the ticket, ask the guards, ask the AI per capability side by side, check the answers.

Nothing here raises for an upstream's failure: what went wrong comes back as a Problem, because one
capability's trouble must not touch the other, and because step results are stored as JSON without ticket text.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.ai import Completion, Prompt
from bridge.answer import (
    read_category,
    read_scores,
    score_schema,
    without_echo,
)
from bridge.errors import AnswerRejected, BridgeError, NotFound
from bridge.guards import guard
from bridge.model import (
    Capability,
    Category,
    Choice,
    Decision,
    Field,
    Spent,
    Taxonomy,
    Ticket,
    TicketRef,
    Usage,
    Value,
)
from bridge.policy import fields_needed
from bridge.prompts import Rendered
from bridge.records import dump_decision, dump_usage, dump_value, load_decision, load_value
from bridge.settings.model import Organization
from bridge.triage.desk import Desk
from bridge.triage.menu import Menus
from bridge.triage.problem import Problem

logger = logging.getLogger(__name__)

DEFAULT_MAX_TOKENS = 4000
_MENUS = Menus()
_SIDE_BY_SIDE = ThreadPoolExecutor(64, thread_name_prefix="ask")
"""Threads for the second capability of a ticket; more than the engine has slots, so that none waits."""
TEMPLATES = {Capability.CATEGORIZATION: "categorize.md.j2", Capability.SENTIMENT: "sentiment.md.j2"}


@dataclass(frozen=True)
class Decided:
    """What is known after asking. `seen` is what the ticket held; `problems` name what is still missing.

    `client` is the id of the ticket's company, so that what is kept about one client can be found. `lost` is what
    was used for answers that decided nothing, in all tries.
    """

    number: str = ""
    url: str = ""
    skip: str = ""
    seen: Mapping[Field, Value | None] = field(default_factory=dict)
    decisions: tuple[Decision, ...] = ()
    problems: tuple[Problem, ...] = ()
    not_run: Mapping[Capability, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    client: str = ""
    lost: tuple[Spent, ...] = ()

    @property
    def spent(self) -> tuple[Spent, ...]:
        """Return all that was used, decisions first."""
        return (*(Spent(decision.provider, decision.usage) for decision in self.decisions), *self.lost)

    def dump(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "client": self.client,
            "url": self.url,
            "skip": self.skip,
            "seen": {field_.value: dump_value(value) for field_, value in self.seen.items()},
            "decisions": [dump_decision(decision) for decision in self.decisions],
            "problems": [problem.dump() for problem in self.problems],
            "not_run": {capability.value: why for capability, why in self.not_run.items()},
            "warnings": list(self.warnings),
            "lost": [[spent.provider, *dump_usage(spent.usage)] for spent in self.lost],
        }

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Decided:
        return cls(
            data["number"],
            data["url"],
            data["skip"],
            {Field(name): load_value(value) for name, value in data["seen"].items()},
            tuple(load_decision(decision) for decision in data["decisions"]),
            tuple(Problem.load(problem) for problem in data["problems"]),
            {Capability(name): why for name, why in data["not_run"].items()},
            tuple(data["warnings"]),
            # A job that an earlier version left has neither.
            data.get("client", ""),
            tuple(Spent(provider, Usage(*usage)) for provider, *usage in data.get("lost", ())),
        )


@dataclass(frozen=True)
class Question:
    """One prompt ready to leave, and how to read its answer."""

    capability: Capability
    prompt: Prompt
    max_tokens: int
    read: Callable[[str, Completion], Decision]
    warnings: tuple[str, ...] = ()


def decide(desk: Desk, ref: TicketRef, earlier: Decided | None = None) -> Decided:
    """Decide on one ticket; `earlier` holds the decisions a previous try already has, which are kept."""
    before = earlier.spent if earlier else ()
    try:
        ticket = desk.adapter.get_ticket(ref)
    except NotFound as error:
        return Decided(skip=f"the PSA has no such service ticket (any more): {error.hint}", lost=before)
    except BridgeError as error:
        return replace(earlier or Decided(), problems=(Problem.of(error),))
    organization = desk.organization.for_client(ticket.company)
    guarded = guard(organization, desk.connection, ticket, desk.adapter.scope_name)
    client = ticket.company.id if ticket.company else ""
    if guarded.skip:
        return Decided(
            ticket.number, ticket.url, guarded.skip, not_run=guarded.why_not, client=client, lost=before
        )
    have = {decision.capability: decision for decision in (earlier.decisions if earlier else ())}
    missing = [capability for capability in guarded.capabilities if capability not in have]
    asked = _ask_all(desk, organization, ticket, missing)
    decisions = [*have.values(), *(result for result in asked if isinstance(result, Decision))]
    decisions.sort(key=lambda decision: list(Capability).index(decision.capability))
    problems = tuple(result for result in asked if isinstance(result, Problem))
    return Decided(
        ticket.number,
        ticket.url,
        # What an earlier try saw counts: a person may have changed the ticket since.
        seen={field_: ticket.value(field_) for field_ in desk.adapter.writes}
        | dict(earlier.seen if earlier else {}),
        decisions=tuple(decisions),
        problems=problems,
        not_run=guarded.why_not,
        warnings=_warnings(organization, guarded.capabilities),
        client=client,
        lost=(*(earlier.lost if earlier else ()), *(spent for problem in problems for spent in problem.spent)),
    )


def _warnings(organization: Organization, capabilities: Collection[Capability]) -> tuple[str, ...]:
    return tuple(
        f"no output limit is set for {capability.value}; {DEFAULT_MAX_TOKENS} tokens are used"
        for capability in capabilities
        if organization.variables.max_tokens(capability) is None
    )


def _ask_all(
    desk: Desk, organization: Organization, ticket: Ticket, capabilities: list[Capability]
) -> list[Decision | Problem]:
    if not capabilities:
        return []
    first, *others = capabilities
    asked = [
        _SIDE_BY_SIDE.submit(copy_context().run, _ask, desk, organization, ticket, capability)
        for capability in others
    ]
    return [_ask(desk, organization, ticket, first), *(one.result() for one in asked)]


def _ask(desk: Desk, organization: Organization, ticket: Ticket, capability: Capability) -> Decision | Problem:
    try:
        question = compose(desk, organization, ticket, capability)
        return put(desk, organization, ticket, question)
    except BridgeError as error:
        return Problem.of(error, capability)
    except Exception as error:
        # A fault of our own in one capability is no reason to lose the other.
        return replace(desk.fault(error), capability=capability)


def put(desk: Desk, organization: Organization, ticket: Ticket, question: Question) -> Decision:
    """Ask one question; an unusable answer is sent back once with what was wrong with it."""
    asker = desk.asker(organization, question.capability)
    privacy = organization.rule_for(ticket.company).ai.value
    first = _counted(asker.complete(question.prompt, max_tokens=question.max_tokens, privacy=privacy))
    try:
        return question.read(first.text, first)
    except AnswerRejected as rejected:
        logger.info("%s: answer rejected, asking once more: %s", ticket.ref, rejected.hint)
        again = replace(question.prompt, feedback=(first.text, rejected.hint))
    spent = [Spent(first.provider, first.usage)]
    try:
        second = _counted(asker.complete(again, max_tokens=question.max_tokens, privacy=privacy))
        spent.append(Spent(second.provider, second.usage))
        return question.read(second.text, replace(second, usage=first.usage + second.usage))
    except BridgeError as error:
        error.having_spent(*spent)
        raise


def _counted(completion: Completion) -> Completion:
    """Return the completion with what providers before it used as part of its usage."""
    return replace(completion, usage=sum((lost.usage for lost in completion.lost), completion.usage), lost=())


def compose(desk: Desk, organization: Organization, ticket: Ticket, capability: Capability) -> Question:
    """Build the question for one capability: taxonomy, template, schema."""
    rule = organization.rule_for(ticket.company)
    instructions = {
        Capability.CATEGORIZATION: organization.categorization.instructions,
        Capability.SENTIMENT: organization.sentiment.instructions,
    }[capability]
    text = desk.clean(ticket.description)
    context: dict[str, Any] = {
        "product": desk.adapter.label,
        "organization": organization.name or organization.id,
        "instructions": instructions,
        "client_instructions": rule.instructions,
    }
    max_tokens = organization.variables.max_tokens(capability) or DEFAULT_MAX_TOKENS
    schema: Mapping[str, Any]
    if capability is Capability.SENTIMENT:
        schema, read = score_schema(), _score_reader()
    else:
        fields = fields_needed(organization, [capability])
        menu = _MENUS.of(desk, organization.categorization, desk.adapter.get_taxonomy(ticket, fields))
        if not menu.taxonomy.categories:
            raise NotFound(
                f"categories of {desk.adapter.scope_name} {ticket.scope.name if ticket.scope else '?'}",
                f"{desk.adapter.label} offers no active category here, or all of them are ignored",
            )
        context |= menu.context
        schema, read = menu.schema, _category_reader(menu.taxonomy, menu.priorities)

    def render(body: str) -> Rendered:
        return desk.prompts.render_prompt(
            TEMPLATES[capability], {**context, "ticket": ticket_context(ticket, body)}
        )

    def prompt(rendered: Rendered, shorten: Callable[[], Prompt] | None) -> Prompt:
        return Prompt(
            f"ticket_{capability.value}", rendered.system, rendered.user, schema, rendered.fingerprint,
            shorten=shorten,
        )  # fmt: skip

    def shortened() -> Prompt:
        # The beginning of a ticket says what it is about; logs and histories follow.
        return prompt(render(text[: max(500, len(text) // 4)] + "\n[shortened]"), None)

    rendered = render(text)
    full = prompt(rendered, shortened if len(text) > 1000 else None)
    # What the operator wrote about this client stands beside the ticket, and is to be repeated as little.
    asked = replace(rendered, system=f"{rendered.system}\n{rule.instructions}")
    return Question(capability, full, max_tokens, lambda answer, got: read(answer, got, asked))


def ticket_context(ticket: Ticket, text: str) -> dict[str, str]:
    priority = ticket.values.get(Field.PRIORITY)
    return {
        "title": ticket.title,
        "text": text,
        "company": ticket.company.name if ticket.company else "",
        "board": ticket.scope.name if ticket.scope else "",
        "source": ticket.source.name if ticket.source else "",
        "priority": priority.name if priority else "",
    }


Reader = Callable[[str, Completion, Rendered], Decision]


def _category_reader(taxonomy: Taxonomy, priorities: Collection[Choice]) -> Reader:
    def read(text: str, got: Completion, asked: Rendered) -> Decision:
        answer = read_category(text, taxonomy, list(priorities))
        plain = (
            Category(answer.category.type, answer.category.subtype, answer.category.item)
            if answer.category
            else None
        )
        return Decision(
            Capability.CATEGORIZATION, plain,
            {Field.PRIORITY: answer.priority} if answer.priority else {},
            confidence=answer.confidence, reason=without_echo(answer.reason, asked.system),
            provider=got.provider, model=got.model, fingerprint=asked.fingerprint, usage=got.usage,
            remarks=got.remarks,
        )  # fmt: skip

    return read


def _score_reader() -> Reader:
    def read(text: str, got: Completion, asked: Rendered) -> Decision:
        answer = read_scores(text)
        return Decision(
            Capability.SENTIMENT, scores=answer.scores, confidence=answer.confidence,
            reason=without_echo(answer.reason, asked.system), provider=got.provider, model=got.model,
            fingerprint=asked.fingerprint, usage=got.usage,
            remarks=got.remarks,
        )  # fmt: skip

    return read
