"""Calls to Kaseya BMS: two casings, failures in HTTP 200, short tokens, one-time codes."""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.errors import (
    AuthRejected,
    BridgeError,
    ConfigError,
    NotFound,
    PermanentError,
    TemporaryError,
    ValueRejected,
)  # fmt: skip
from bridge.http import Reply
from bridge.model import TicketRef
from psa_adapters.kaseya_bms import totp
from psa_adapters.kaseya_bms.answers import judge
from psa_adapters.kaseya_bms.login import usable_seconds
from tests.contract.worlds_kaseya_bms import KaseyaBMSWorld, filed

SAMPLES = Path(__file__).parent.parent / "samples" / "kaseya_bms"
KEY = base64.b32encode(b"twenty bytes of a ke").decode()


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
