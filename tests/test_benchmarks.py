"""The slim upstream of the benchmarks answers the real adapter as the practice server does."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from benchmarks import economy, upstream
from benchmarks.stage import webhook_path
from bridge.model import Change, Field, TicketRef
from psa_adapters.base import Runtime, WebhookRequest
from psa_adapters.connectwise import ConnectWise

REF = TicketRef("psa-0", "7")


@pytest.fixture
def world() -> Iterator[tuple[upstream.World, str]]:
    made, started, ports = upstream.World(psa_seconds=0.0, paths=60), threading.Event(), list[int]()
    loop = asyncio.new_event_loop()

    def told(port: int) -> None:
        ports.append(port)
        started.set()

    serving = loop.create_task(upstream.serve(made, told))

    def run() -> None:
        loop.run_until_complete(asyncio.wait([serving]))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    yield made, f"http://127.0.0.1:{ports[0]}"
    loop.call_soon_threadsafe(serving.cancel)
    thread.join(10)
    loop.close()


def adapter(url: str) -> ConnectWise:
    block = ConnectWise.schema().load(
        {
            "url": url,
            "company_id": upstream.COMPANY,
            "public_key": upstream.PUBLIC_KEY,
            "private_key": "env:KEY",
            "client_id": upstream.CLIENT_ID,
            "webhook": {"secret": "env:SECRET"},
        }
    )
    block |= {"private_key": upstream.PRIVATE_KEY, "webhook": {"secret": upstream.URL_SECRET}}
    never = Runtime(sleep=lambda _seconds: None, clock=lambda: 0.0, now=lambda: datetime.now(UTC))
    return ConnectWise("psa-0", block, never)


def test_the_adapter_reads_writes_and_notes_as_with_the_practice_server(world: tuple[upstream.World, str]) -> None:
    made, url = world
    psa = adapter(url)

    ticket = psa.get_ticket(REF)
    taxonomy = psa.get_taxonomy(ticket)
    wanted = taxonomy.categories[5]
    after = psa.update_ticket(ticket, [Change(Field.CATEGORY, None, wanted, "")])
    note = psa.add_note(after, "AI triage (key 1)", key="key 1")

    assert "charger" in ticket.description
    assert ticket.category is None
    assert len(taxonomy.categories) == 60
    assert after.category is not None
    assert after.category.ids == wanted.ids
    assert psa.get_ticket(REF).category == after.category
    assert psa.add_note(after, "AI triage (key 1)", key="key 1") == note
    assert len(made.tickets[7].notes) == 1


def test_its_callbacks_are_believed_and_others_are_not(world: tuple[upstream.World, str]) -> None:
    _made, url = world
    raw = upstream.callback(7, url)
    query = dict(parse_qsl(urlsplit(webhook_path(7)).query))
    signed = WebhookRequest({"x-content-signature": upstream.signature(raw)}, query, raw)

    assert adapter(url).read_webhook(signed).tickets == ("7",)


def test_the_answer_of_its_ai_names_a_code(world: tuple[upstream.World, str]) -> None:
    made, _url = world
    body = json.dumps({"messages": [{"role": "user", "content": "Ticket 7: laptop will not turn on"}]}).encode()
    reply = made.answer("POST", "/v1/chat/completions", {}, body)

    said = json.loads(json.loads(reply.body)["choices"][0]["message"]["content"])
    assert said["category"] == "C8"
    assert (reply.kind, reply.ticket) == ("AI", 7)


def test_the_static_part_of_a_prompt_is_the_same_for_two_tickets() -> None:
    found = economy.measure(300)

    assert found.paths == 300
    assert found.cached_share > 0.9
    assert found.formats["JSON objects"] > 2 * found.formats["code | path"]
