"""What only Kaseya BMS does: two casings, failures in HTTP 200, short tokens, one-time codes, note types."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from bridge.errors import (
    AuthRejected,
    BridgeError,
    ConfigError,
    NotFound,
    NotInternal,
    NotSupported,
    PermanentError,
    TemporaryError,
    ValueRejected,
)  # fmt: skip
from bridge.http import Reply
from bridge.model import Category, Change, Choice, Field, Level, Ticket, TicketRef
from bridge.simulator.practice import PracticeServer
from bridge.simulator.world import PracticeTicket
from psa_adapters.base import Runtime, WebhookRequest
from psa_adapters.kaseya_bms import KaseyaBMS, totp
from psa_adapters.kaseya_bms.answers import judge
from psa_adapters.kaseya_bms.lists import by_seriousness
from psa_adapters.kaseya_bms.login import usable_seconds
from psa_adapters.kaseya_bms.registration import describe_header, shape_of
from psa_adapters.kaseya_bms.tickets import portal_of, read_ticket
from psa_adapters.kaseya_bms.wire import Record
from psa_adapters.times import NO_OFFSET, moment
from tests.contract.worlds_kaseya_bms import KaseyaBMSWorld

SAMPLES = Path(__file__).parent / "samples" / "kaseya_bms"
KEY = base64.b32encode(b"twenty bytes of a ke").decode()


@pytest.fixture
def world() -> Iterator[KaseyaBMSWorld]:
    built = KaseyaBMSWorld()
    yield built
    built.close()


def filed(world: KaseyaBMSWorld, adapter: KaseyaBMS, **what: str) -> Ticket:
    id_ = world.practice.create_ticket(PracticeTicket(**{"title": "Dock asleep", "body": "It sleeps.", **what}))
    return adapter.get_ticket(TicketRef("practice", id_))


# --- answers ------------------------------------------------------------------------------------------------


def reply(status: int, body: object, method: str = "GET", headers: dict[str, str] | None = None) -> Reply:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Reply(method, "https://api.bms.kaseya.com/v2/x", status, headers or {}, content)


def failed(code: int, message: str, pascal: bool = False) -> dict[str, object]:
    if pascal:
        return {"Success": False, "Error": {"Code": code, "Message": message}, "Result": None}
    return {"success": False, "error": {"code": code, "message": message}, "result": None}


@pytest.mark.parametrize("pascal", [False, True])
@pytest.mark.parametrize(
    ("code", "message", "method", "expected"),
    [
        (401, "Token expired", "GET", AuthRejected),
        (403, "No", "PATCH", AuthRejected),
        (404, "Gone", "GET", NotFound),
        (429, "Slow", "GET", TemporaryError),
        (500, "Oops", "GET", TemporaryError),
        (400, "Bad", "GET", PermanentError),
        (400, "Bad", "PATCH", ValueRejected),
        (0, "Priority does not exist", "PATCH", ValueRejected),
        (0, "Ticket does not exist", "GET", NotFound),
        (0, "You do not have permission", "GET", AuthRejected),
        (0, "Too many requests", "GET", TemporaryError),
        (1205, "Transaction was deadlocked; deadlock victim", "PATCH", TemporaryError),
        (0, "", "GET", PermanentError),
    ],
)
def test_a_failure_inside_http_200_gets_its_class(
    pascal: bool, code: int, message: str, method: str, expected: type[BridgeError]
) -> None:
    error = judge("read", reply(200, failed(code, message, pascal), method))
    assert type(error) is expected
    assert message in error.hint


def test_success_is_no_error_in_either_casing() -> None:
    assert judge("read", reply(200, {"Success": True, "Result": []})) is None
    assert judge("read", reply(200, {"success": True, "error": None, "result": {}})) is None


def test_the_vendors_words_are_quoted_without_its_stack_trace() -> None:
    for name, quoted in (
        ("error_envelope", "is not a child of 61107"),
        ("error_problem", "must be between 1 and 2147483647"),
    ):
        error = judge("update", reply(400, (SAMPLES / f"{name}.json").read_text(), "PATCH"))
        assert type(error) is ValueRejected
        assert quoted in error.hint
        assert "Tickets.cs" not in error.hint
    page = judge("read", reply(500, "<html>stack</html>"))
    assert page is not None
    assert "html" not in page.hint


def test_a_rate_limit_without_a_header_waits_a_minute() -> None:
    silent = judge("read", reply(429, ""))
    told = judge("read", reply(429, "", headers={"retry-after": "7"}))
    assert isinstance(silent, TemporaryError)
    assert isinstance(told, TemporaryError)
    assert (silent.retry_after, told.retry_after) == (60.0, 7.0)


def test_one_workers_rate_limit_spares_the_others_and_ends(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.access.hourly_limit = 1
    adapter.get_ticket(ticket.ref)
    with pytest.raises(TemporaryError) as limited:
        adapter.get_ticket(ticket.ref)
    assert limited.value.retry_after == 60.0
    before = len(world.practice.server.requests())
    with pytest.raises(TemporaryError):
        adapter.get_ticket(TicketRef("practice", "1"))
    assert len(world.practice.server.requests()) == before
    world.practice.access.hourly_limit = 0
    world.time.sleep(61)
    assert adapter.get_ticket(ticket.ref).ref == ticket.ref


# --- logging in ---------------------------------------------------------------------------------------------


def test_an_expired_token_is_replaced_once_for_all_threads(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.access.expire_tokens()
    world.practice.access.logins = 0
    threads = [threading.Thread(target=adapter.get_ticket, args=(ticket.ref,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert world.practice.access.logins == 1


def test_a_token_is_renewed_after_ten_minutes_whatever_it_says(world: KaseyaBMSWorld) -> None:
    world.practice.api.expiry_offset_hours = 9
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.time.sleep(590)
    adapter.get_ticket(ticket.ref)
    assert world.practice.access.logins == 1
    world.time.sleep(20)
    adapter.get_ticket(ticket.ref)
    assert world.practice.access.logins == 2


@pytest.mark.parametrize(
    ("minutes", "seconds"), [(15, 600.0), (5, 270.0), (0.5, 15.0), (-300, 600.0), (None, 600.0)]
)
def test_how_long_a_token_is_used(minutes: float | None, seconds: float) -> None:
    now = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
    assert usable_seconds(now + timedelta(minutes=minutes) if minutes is not None else None, now) == seconds


@pytest.mark.parametrize("form", ["401", "envelope"])
def test_a_refused_login_says_what_to_check_and_is_not_hammered(world: KaseyaBMSWorld, form: str) -> None:
    world.practice.api.login_failure = form
    adapter = world.adapter(company="Northwind")
    for _ in range(5):
        with pytest.raises(AuthRejected) as refused:
            adapter.get_ticket(TicketRef("practice", "1"))
        assert "company" in refused.value.hint
        assert world.practice.password not in str(refused.value)
    assert world.practice.access.logins == 1
    world.time.sleep(61)
    with pytest.raises(AuthRejected):
        adapter.get_ticket(TicketRef("practice", "1"))
    assert world.practice.access.logins == 2


def test_a_refused_endpoint_logs_in_once_more_and_gives_up(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.server.fail("/servicedesk/tickets/", status=401, times=0)
    world.practice.access.logins = 0
    with pytest.raises(AuthRejected):
        adapter.get_ticket(ticket.ref)
    assert world.practice.access.logins == 1


# RFC 6238, appendix B (SHA-1, the last six of the eight digits).
@pytest.mark.parametrize(
    ("second", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_one_time_codes_follow_the_standard(second: int, code: str) -> None:
    assert totp.code_at(b"12345678901234567890", second // 30) == code


def test_a_code_is_never_used_twice() -> None:
    slept: list[float] = []
    time = [1_763_672_410.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time[0] += seconds

    codes = totp.OneTimeCodes(KEY, time=lambda: time[0], sleep=sleep)
    first, second = codes.take(), codes.take()
    assert first != second
    assert len(slept) == 1
    assert 0 < slept[0] <= 30
    time[0] += 300
    codes.take()
    assert len(slept) == 1


def test_a_user_with_mfa_logs_in_and_again(world: KaseyaBMSWorld) -> None:
    world.practice.access.totp_secret = KEY
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.access.expire_tokens()
    assert adapter.get_ticket(ticket.ref).ref == ticket.ref
    codes = world.practice.access.codes
    assert len(codes) == len(set(codes)) == 2


def test_a_code_spent_by_another_process_is_followed_by_the_next(world: KaseyaBMSWorld) -> None:
    world.practice.access.totp_secret = KEY
    ref = filed(world, world.adapter()).ref
    assert world.adapter().get_ticket(ref).ref == ref


def test_authenticator_keys_are_read_as_people_paste_them() -> None:
    key = totp.read_key("JBSWY3DPEHPK3PXP")
    assert totp.read_key("jbsw y3dp ehpk 3pxp") == key
    assert totp.read_key("otpauth://totp/BMS:bridge?secret=JBSWY3DPEHPK3PXP&issuer=BMS") == key
    for wrong in ("123456", "", "not base32!"):
        with pytest.raises(ConfigError):
            totp.read_key(wrong)


# --- reading ------------------------------------------------------------------------------------------------


def test_a_ticket_as_the_vendor_sends_it() -> None:
    row = Record(json.loads((SAMPLES / "ticket.json").read_text()))["result"]
    ticket = read_ticket(row, TicketRef("bms", "880117"), "https://bms.kaseya.com", NO_OFFSET)
    assert ticket.description == "The dock does not wake\nmy screen.\n\nThanks,\nMia"
    assert (ticket.requester, ticket.requester_email) == ("", "")
    assert ticket.category is None
    assert ticket.source == Choice("0", "Client Portal")
    assert ticket.scope == Choice("38402", "Service Desk")
    assert Field.OWNER not in ticket.values
    assert ticket.created == datetime(2026, 11, 20, 21, 4, 11, 207123, tzinfo=UTC)
    assert ticket.url == "https://bms.kaseya.com/react/servicedesk/tickets/880117"
    json.dumps(ticket.native)


def test_a_contact_of_zero_is_no_contact(world: KaseyaBMSWorld) -> None:
    world.practice.tenant.zero_contact = True
    ticket_id = world.practice.create_ticket(PracticeTicket("One", "Body"))
    world.practice.tenant.tickets[int(ticket_id)]["ContactId"] = None
    ticket = world.adapter().get_ticket(TicketRef("practice", ticket_id))
    assert (ticket.requester, ticket.requester_email) == ("", "")


@pytest.mark.parametrize("ticket_id", ["", "abc", "-1", "1/notes", "99999999999999", "²"])
def test_a_strange_id_never_reaches_the_api(world: KaseyaBMSWorld, ticket_id: str) -> None:
    with pytest.raises(NotFound):
        world.adapter().get_ticket(TicketRef("practice", ticket_id))
    assert world.practice.server.requests("GET", "/tickets") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T21:00:00Z", datetime(2026, 11, 20, 21, tzinfo=UTC)),
        ("2026-11-20T21:00:00.1234567", datetime(2026, 11, 20, 21, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-20T16:00:00-05:00", datetime(2026, 11, 20, 21, tzinfo=UTC)),
        ("0001-01-01T00:00:00", None),
        ("yesterday", None),
        (None, None),
        (5, None),
    ],
)
def test_dates_in_all_forms(text: object, expected: datetime | None) -> None:
    assert moment(text) == expected


@given(st.text(max_size=30) | st.integers() | st.none())
def test_any_date_is_read_without_harm(value: object) -> None:
    read = moment(value, timedelta(hours=5))
    assert read is None or read.tzinfo is not None


def test_the_portal_is_the_api_host_without_api() -> None:
    assert portal_of("https://api.bmsemea.kaseya.com") == "https://bmsemea.kaseya.com"
    assert portal_of("http://127.0.0.1:81") == "http://127.0.0.1:81"


def test_priorities_without_known_words_go_by_number_and_else_stay_in_the_middle() -> None:
    def ordered(*names: str) -> list[str]:
        return [c.name for c in by_seriousness(tuple(Choice(n, n) for n in names))]

    assert ordered("P1", "P3", "P2") == ["P3", "P2", "P1"]
    assert ordered("1 - Critical", "4 - Low", "Whatever", "2 - High") == [
        "4 - Low",
        "Whatever",
        "2 - High",
        "1 - Critical",
    ]
    assert ordered("Low", "Very low", "Very high", "High") == ["Very low", "Low", "High", "Very high"]


def test_lists_are_cached_a_quarter_of_an_hour(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    first = adapter.get_taxonomy(ticket)
    calls = len(world.practice.server.requests("GET", "issuesubtypes"))
    world.practice.tenant.catalogue.types[next(iter(world.practice.tenant.catalogue.types))]["IsActive"] = False
    world.time.sleep(890)
    assert adapter.get_taxonomy(ticket) == first
    assert len(world.practice.server.requests("GET", "issuesubtypes")) == calls
    world.time.sleep(20)
    assert "Hardware" not in {c.type.name for c in adapter.get_taxonomy(ticket).categories}


def test_types_without_subtypes_stand_alone_and_only_those(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    bare = [c.path for c in adapter.get_taxonomy(filed(world, adapter)).categories if c.subtype is None]
    assert bare == ["How-to question", "Other"]


# --- writing ------------------------------------------------------------------------------------------------


def category(adapter: KaseyaBMS, ticket: Ticket, path: str) -> Category:
    return next(c for c in adapter.get_taxonomy(ticket).categories if c.path == path)


def test_the_patch_carries_both_levels_with_pascal_paths(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.edit(ticket.ref.id, {"category": "Email / Outlook"})
    returned = adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, category(adapter, ticket, "Other"))])
    (sent,) = world.practice.server.requests("PATCH")
    steps = json.loads(sent.body)
    assert [(step["op"], step["path"]) for step in steps] == [
        ("replace", "/IssueTypeId"),
        ("replace", "/SubIssueTypeId"),
    ]
    assert steps[1]["value"] is None
    assert sent.headers["content-type"] == "application/json-patch+json"
    assert returned.category is not None
    assert returned.category.path == "Other"


def test_a_read_only_ticket_is_not_written(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    id_ = world.practice.create_ticket(PracticeTicket("One", "Body"))
    world.practice.tenant.tickets[int(id_)]["IsReadOnly"] = True
    ticket = adapter.get_ticket(TicketRef("practice", id_))
    with pytest.raises(PermanentError, match="read-only"):
        adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, category(adapter, ticket, "Other"))])
    assert world.practice.server.requests("PATCH") == []


@pytest.mark.parametrize("failures", ["status", "envelope", "problem"])
def test_a_refused_value_is_named_and_nothing_is_written(failures: str) -> None:
    world = KaseyaBMSWorld(failures=failures)
    try:
        adapter = world.adapter()
        ticket = filed(world, adapter)
        before = world.practice.look(ticket.ref.id)
        wrong = Category(Choice("61007", "Hardware"), Choice("999", "Nothing"))
        with pytest.raises(ValueRejected) as refused:
            adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, wrong)])
        assert "SubIssueTypeId" in refused.value.hint or "subissuetypeid" in refused.value.hint
        assert world.practice.look(ticket.ref.id) == before
    finally:
        world.close()


def test_what_the_psa_silently_kept_is_returned_as_it_is(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.tenant.keep_silently = True
    wanted = category(adapter, ticket, "Email / Outlook")
    assert adapter.update_ticket(ticket, [Change(Field.CATEGORY, None, wanted)]).category is None


def test_a_field_bms_does_not_have_is_refused(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    with pytest.raises(NotSupported):
        adapter.update_ticket(filed(world, adapter), [Change(Field.IMPACT, None, Choice("1", "High"))])


# --- notes --------------------------------------------------------------------------------------------------


def test_a_note_the_psa_makes_public_is_withdrawn_and_fails(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.tenant.public_notes = True
    for silent in (False, True):
        world.practice.api.notes_without_echo = silent
        with pytest.raises(NotInternal):
            adapter.add_note(ticket, "Staff only. [run-9]", key="run-9")
        assert world.practice.look(ticket.ref.id).notes == ()


def test_a_leaked_note_that_cannot_be_withdrawn_is_not_doubled(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    world.practice.tenant.public_notes = True
    world.practice.access.denied.add("notes.delete")
    for _ in range(3):
        with pytest.raises(NotInternal):
            adapter.add_note(ticket, "Staff only. [run-9]", key="run-9")
    assert len(world.practice.look(ticket.ref.id).notes) == 1


def test_the_key_is_found_on_a_later_page(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    for number in range(25):
        world.practice.answer(ticket.ref.id, f"Any news? {number}")
    first = adapter.add_note(ticket, "Staff only. [run-9]", key="run-9")
    world.practice.max_page_size = 10
    assert world.adapter().add_note(ticket, "Staff only. [run-9]", key="run-9") == first


def test_note_types_are_discovered_by_sampling_and_kept(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    for number in range(3):
        adapter.add_note(filed(world, adapter), f"Note. [run-{number}]", key=f"run-{number}")
    types = {json.loads(seen.body)["TypeId"] for seen in world.practice.server.requests("POST", "/notes$")}
    assert types == {32}
    assert len(world.practice.server.requests("POST", "/search$")) == 1


@pytest.mark.parametrize("table", ["NoteType", "TicketNoteType", "NoteTypes"])
def test_note_types_are_taken_from_a_lookup_where_there_is_one(world: KaseyaBMSWorld, table: str) -> None:
    world.practice.api.note_table = table
    adapter = world.adapter()
    adapter.add_note(filed(world, adapter), "Note. [run-1]", key="run-1")
    assert world.practice.server.requests("POST", "/search$") == []


def test_a_configured_note_type_is_used_unasked(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter(note_type_id=34)
    adapter.add_note(filed(world, adapter), "Note. [run-1]", key="run-1")
    (sent,) = world.practice.server.requests("POST", "/notes$")
    body = json.loads(sent.body)
    assert (body["TypeId"], body["IsInternal"]) == (34, True)
    assert "EmailNotification" not in body
    assert "StatusId" not in body
    assert world.practice.server.requests("GET", "lookup") == []


def test_no_note_type_at_all_is_a_clear_error(world: KaseyaBMSWorld) -> None:
    for notes in world.practice.tenant.notes.values():
        notes.clear()
    adapter = world.adapter()
    ticket = filed(world, adapter)
    for _ in range(4):
        with pytest.raises(PermanentError, match="note_type_id"):
            adapter.add_note(ticket, "Note. [run-1]", key="run-1")
    assert len(world.practice.server.requests("POST", "/search$")) == 1
    world.practice.api.note_table = "NoteType"
    world.time.sleep(301)
    adapter.add_note(ticket, "Note. [run-1]", key="run-1")


def test_a_reply_is_addressed_to_the_contact(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    ticket = filed(world, adapter)
    adapter.add_reply(ticket, "Please unplug it.", key="r")
    (sent,) = world.practice.server.requests("POST", "/notes$")
    body = json.loads(sent.body)
    assert body["IsInternal"] is False
    assert body["EmailNotification"] == {"ContactIds": ticket.native["contact"]}
    assert body["TypeId"] == 31


# --- the sweep ------------------------------------------------------------------------------------------------


def test_the_sweep_asks_wide_and_keeps_a_day(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    since = datetime.now(UTC)
    kept = world.practice.create_ticket(PracticeTicket("Yesterday", "Body"))
    left = world.practice.create_ticket(PracticeTicket("Before that", "Body"))
    for id_, hours in ((kept, 23), (left, 25)):
        place = world.practice.tenant.order.index(int(id_))
        moved = since - timedelta(hours=hours)
        world.practice.tenant.tickets[int(id_)]["CreatedOn"] = world.practice.tenant.created[place] = moved
    world.practice.tenant.created.sort()
    assert [ref.id for ref in adapter.list_created(since)] == [kept]
    body = json.loads(world.practice.server.requests("POST", "/search$")[0].body)
    asked = datetime.fromisoformat(body["Filter"]["CreatedOnFrom"]).replace(tzinfo=UTC)
    assert since - timedelta(hours=26, seconds=1) <= asked <= since - timedelta(hours=26)
    assert body["Filter"]["ExcludeCompleted"] == 1
    assert body["PageNumber"] == 1


# --- check, webhooks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permission", "subject", "screen"),
    [
        ("tickets.view", "tickets", "Service Desk > Tickets: View"),
        ("tickets.modify", "update tickets", "Service Desk > Tickets: Modify"),
        ("tickets.modify", "add notes", "Service Desk > Tickets: Modify"),
        ("lists", "issue types", "Admin > Service Desk: View"),
        ("assignees", "assignees", "HR > Employees: View"),
        ("api", "login", "Has API Access"),
    ],
)
@pytest.mark.parametrize("failures", ["status", "envelope"])
def test_check_names_the_missing_permission(permission: str, subject: str, screen: str, failures: str) -> None:
    world = KaseyaBMSWorld(failures=failures)
    try:
        world.practice.access.denied.add(permission)
        bad = {f.subject: f.detail for f in world.adapter().check() if f.level is Level.FAILED}
        assert screen in bad[subject]
    finally:
        world.close()


def test_check_warns_where_webhooks_are_refused_or_missing(world: KaseyaBMSWorld) -> None:
    def finding() -> tuple[Level, str]:
        return next((f.level, f.detail) for f in world.adapter().check() if f.subject == "webhook")

    assert finding()[0] is Level.WARNING
    world.practice.access.denied.add("webhooks")
    level, detail = finding()
    assert level is Level.WARNING
    assert "Admin > Integrations > Webhooks" in detail


def test_a_delivery_goes_out_as_configured_and_can_be_sent_again(world: KaseyaBMSWorld) -> None:
    app = Flask("listener")
    app.add_url_rule("/webhooks/kaseya_bms/practice", view_func=lambda: ("", 202), methods=["POST"])
    with PracticeServer(app) as listener:
        adapter = world.adapter()
        world.practice.subscribe(adapter.webhook_url(f"{listener.url}/webhooks/kaseya_bms/practice"))
        ticket = world.practice.create_ticket(PracticeTicket("One", "Body"))
        world.practice.edit(ticket, {"priority": "High"})
        world.practice.wait_idle()
        assert world.practice.redeliver(ticket) == 202
        world.practice.drop_webhooks(True)
        world.practice.create_ticket(PracticeTicket("Two", "Body"))
        world.practice.wait_idle()
        arrived = listener.requests("POST")
    assert len(arrived) == 2
    for seen in arrived:
        query = dict(parse_qsl(seen.query))
        assert adapter.read_webhook(WebhookRequest(seen.headers, query, seen.body)).tickets == (ticket,)
    newest, oldest = adapter.deliveries(5)
    assert (newest.status, oldest.status) == (202, 202)
    assert newest.id != oldest.id


URL = "https://bridge.example/webhooks/kaseya_bms/practice"


def test_a_webhook_is_installed_for_creation_only_and_repaired(world: KaseyaBMSWorld) -> None:
    adapter = world.adapter()
    made = adapter.install_webhook(adapter.webhook_url(URL))
    assert made.active
    assert made.url == URL
    (hook,) = world.practice.sender.webhooks.values()
    assert hook.url == f"{URL}?token={world.practice.webhook_token}"
    assert (hook.events, hook.all_events, hook.secret) == ([501], False, world.practice.webhook_secret)
    hook.enabled, hook.url = False, f"{URL}?token=old"
    again = adapter.install_webhook(URL)
    assert again.id == made.id
    assert len(world.practice.sender.webhooks) == 1
    assert hook.enabled
    assert hook.url.endswith(world.practice.webhook_token)
    assert [r.id for r in adapter.webhooks()] == [made.id]
    adapter.remove_webhook(made)
    assert adapter.webhooks() == []
    adapter.remove_webhook(made)


def test_other_webhooks_are_left_alone_and_teach_the_content_type(world: KaseyaBMSWorld) -> None:
    world.practice.sender.add(
        name="Another", url="https://other.example/", enabled=True, secret="", content_type=2, all_events=True,
        events=[],
    )  # fmt: skip
    adapter = world.adapter()
    adapter.install_webhook(URL)
    other, ours = world.practice.sender.webhooks.values()
    assert (other.name, other.url) == ("Another", "https://other.example/")
    assert ours.content_type == 2
    assert len(adapter.webhooks()) == 1


@pytest.mark.parametrize("trouble", ["refused", "missing"])
def test_without_the_api_the_clicks_are_told(world: KaseyaBMSWorld, trouble: str) -> None:
    world.practice.api.webhooks_missing = trouble == "missing"
    if trouble == "refused":
        world.practice.access.denied.add("webhooks")
    adapter = world.adapter()
    for act in (adapter.webhooks, lambda: adapter.install_webhook(URL), lambda: adapter.deliveries(5)):
        with pytest.raises(NotSupported) as told:
            act()
        assert "Admin > Integrations > Webhooks > New" in told.value.hint
        assert world.practice.webhook_token not in str(told.value)


def test_deliveries_show_the_form_and_never_the_text(world: KaseyaBMSWorld) -> None:
    world.practice.subscribe("http://127.0.0.1:9/webhooks/kaseya_bms/practice")
    ticket = world.practice.create_ticket(PracticeTicket("Secret title", "Secret body"))
    world.practice.wait_idle()
    (delivery,) = world.adapter().deliveries(5)
    assert delivery.event == "Ticket Created"
    assert delivery.delivered is False
    assert delivery.at is not None
    assert delivery.headers["content-type"] == "application/json"
    assert delivery.headers["signature"] == "(hex, 64 characters)"
    assert delivery.shape["ticket.id"] == ticket
    assert delivery.shape["ticket.title"] == "text"
    assert "Secret" not in repr(delivery)
    assert world.practice.webhook_token not in repr(delivery)


def test_shapes_and_headers_are_described() -> None:
    assert shape_of('{"A":{"Id":5,"Tags":["x"],"Ok":true},"N":1.5,"Z":null}') == {
        "a.id": "5", "a.tags": "list of 1", "a.tags[]": "text", "a.ok": "true/false", "n": "number", "z": "null",
    }  # fmt: skip
    assert shape_of("hello") == {"": "not JSON, 5 characters"}
    assert describe_header("X-Signature", "sha256=" + "ab" * 32) == "sha256=(hex, 64 characters)"
    assert describe_header("Authorization", "Basic abc") == "(text, 9 characters)"


# --- options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": "https://bms.kaseya.com"}, "https://api.bms.kaseya.com"),
        ({"url": "http://api.bms.kaseya.com"}, "https"),
        ({"password": "literal"}, "reference"),
        ({"company": ""}, "empty"),
        ({"note_type_id": -1}, "note type"),
        ({"webhook": {}}, "required"),
        ({"webhook": {"token": "env:T", "verify": "maybe"}}, "off, auto or require"),
        ({"tenant": "x"}, "Unknown"),
    ],
)
def test_wrong_options_are_explained(world: KaseyaBMSWorld, change: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        KaseyaBMS.schema().load({**world.practice.options(), **change})
    assert says in str(wrong.value.messages)
    assert "literal" not in str(wrong.value.messages)


def test_a_wrong_authenticator_key_stops_the_start(world: KaseyaBMSWorld) -> None:
    options = {**world.options(), "totp_secret": "123"}
    runtime = Runtime(sleep=world.time.sleep, clock=world.time.clock, now=lambda: datetime.now(UTC))
    with pytest.raises(ConfigError) as wrong:
        KaseyaBMS("practice", options, runtime)
    assert "123" not in str(wrong.value)
