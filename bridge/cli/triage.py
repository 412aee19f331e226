"""`psa-bridge triage`: the decision and plan for one ticket, without or with carrying them out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.frame import Frame, pass_frame, place
from bridge.cli.output import as_json, aside, fail, print_json, progress, say
from bridge.cli.work import wait_option
from bridge.model import Status, TicketRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.ai import Outgoing, Privacy
    from bridge.app import Bridge
    from bridge.model import Capability, Ticket


@click.command()
@click.argument("connection")
@click.argument("ticket")
@click.option("--apply", "apply_", is_flag=True, help="Carry it out: write the ticket and leave the note.")
@click.option("--show-prompt", is_flag=True, help="First print exactly what would be sent to the AI.")
@click.option("--no-ask", is_flag=True, help="With --show-prompt: stop there; nothing is sent.")
@wait_option
@as_json
@pass_frame
def triage(
    frame: Frame,
    connection: str,
    ticket: str,
    apply_: bool,
    show_prompt: bool,
    no_ask: bool,
    seconds: float,
    json_: bool,
) -> None:
    """Show what would be done with TICKET (its id in the PSA) of CONNECTION.

    Without --apply nothing is changed, neither in the PSA nor in the run log; the AI is asked as in a real run.
    """
    if no_ask and not show_prompt:
        raise click.UsageError("--no-ask goes with --show-prompt")
    if no_ask and apply_:
        raise click.UsageError("--no-ask and --apply exclude each other")
    ref = TicketRef(connection, ticket)
    result: dict[str, Any] = {}
    problems = False
    with frame.bridge() as bridge:
        place(bridge, connection)
        if show_prompt:
            with progress("reading the ticket"):
                result["prompts"] = _prompts(bridge, ref)
            if not json_:
                _print_prompts(result["prompts"])
        if not no_ask and not apply_:
            problems = attempt(bridge, ref, result, json_=json_)
    if apply_:
        problems = _carry_out(frame, ref, seconds, result, json_=json_)
    if json_:
        print_json(result)
    if problems:
        fail()


def attempt(bridge: Bridge, ref: TicketRef, result: dict[str, Any], *, json_: bool) -> bool:
    """Decide and plan, write nothing; tell whether there were problems."""
    from bridge.cli.outcome import show
    from bridge.triage import Acted, act, decide

    desk = bridge.desk(ref.connection)
    assert desk is not None
    with progress("asking"):
        desk.adapter.get_ticket(ref)
        decided = decide(desk, ref)
        acted = act(desk, ref, decided, write=False) if decided.decisions else Acted()
    result |= {"ticket": str(ref), "decided": decided.dump(), "plan": acted.dump()["plan"], "changed": False}
    if not json_:
        say(f"Ticket {decided.number} {decided.url}".rstrip())
        show(decided, acted, done=False)
        say("Nothing was changed.")
    return bool(decided.problems or acted.problem)


def _carry_out(frame: Frame, ref: TicketRef, seconds: float, result: dict[str, Any], *, json_: bool) -> bool:
    """Open a run, see it finished, print it; tell whether it did not end well."""
    from bridge.cli.outcome import run_json, show_run
    from bridge.cli.work import at_work

    with at_work(frame) as work:
        (run,) = work.outcome([work.again(ref)], seconds)
        result["run"] = run_json(run, whole=True)
        if run.finished is None:
            aside(work.still_open(run))
            return True
    if not json_:
        show_run(run)
    return run.status is Status.FAILED


def _prompts(bridge: Bridge, ref: TicketRef) -> list[dict[str, Any]]:
    from bridge.guards import guard

    organization, connection, adapter = place(bridge, ref.connection)
    ticket = adapter.get_ticket(ref)
    guarded = guard(organization, connection, ticket, adapter.scope_name)
    for capability, why in guarded.why_not.items():
        aside(f"{capability.value}: nothing would be sent: {why}")
    if guarded.skip and not guarded.why_not:
        aside(f"nothing would be sent: {guarded.skip}")
    if guarded.skip:
        return []
    return [
        {"capability": capability.value, **_readable(_outgoing(bridge, ticket, capability))}
        for capability in guarded.capabilities
    ]


def _outgoing(bridge: Bridge, ticket: Ticket, capability: Capability) -> Outgoing:
    """Build the request a run would make, by the same steps."""
    from bridge.settings.model import ClientPolicy
    from bridge.triage.decide import compose

    desk = bridge.desk(ticket.ref.connection)
    assert desk is not None
    organization = desk.organization.for_client(ticket.company)
    question = compose(desk, organization, ticket, capability)
    privacies: Mapping[ClientPolicy, Privacy] = {
        ClientPolicy.DEFAULT: "default",
        ClientPolicy.LOCAL: "local",
        ClientPolicy.NEVER: "never",
    }
    privacy = privacies[organization.rule_for(ticket.company).ai]
    chain = bridge.chain(organization, capability)
    return chain.outgoing(question.prompt, max_tokens=question.max_tokens, privacy=privacy)


def _readable(request: Outgoing) -> dict[str, Any]:
    return {"url": request.url, "headers": dict(request.headers), "body": request.body.decode("utf-8")}


def _print_prompts(prompts: list[dict[str, Any]]) -> None:
    for prompt in prompts:
        say(f"# {prompt['capability']}")
        say(f"POST {prompt['url']}")
        for name, value in prompt["headers"].items():
            say(f"{name}: {value}")
        say()
        # A pipe gets the very bytes; on a terminal, control characters of a ticket must not take effect.
        if sys.stdout.isatty():
            say(prompt["body"])
        else:
            click.echo(prompt["body"])
        say()
