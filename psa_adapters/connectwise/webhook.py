"""Callbacks: who really sent them, and which ticket they ring for.

The signing key is fetched from an address inside the body that is to be verified, so that address is judged
before anything is sent to it. https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from bridge.errors import PermanentError, TemporaryError, WebhookRejected
from bridge.http import Http, Limits
from bridge.reach import is_loopback
from psa_adapters.base import Doorbell, Runtime, WebhookRequest
from psa_adapters.connectwise.options import Options

WHERE = "ConnectWise: callback"
KEY_SECONDS = 300.0
RENEW_AFTER = 15.0
"""A signature that does not match is tried with a newly fetched key, unless the key is younger than this."""
FAILURE_SECONDS = 2.0
KEPT_KEYS = 32
MAX_KEY_ANSWER = 64 * 1024

CLOUD_HOSTS = frozenset(
    f"{prefix}{region}.myconnectwise.net"
    for prefix in ("", "api-", "sandbox-")
    for region in ("na", "eu", "au", "aus", "za")
)
PLAIN_URL = re.compile(r"[!-~]+")
HIDDEN_PATH = re.compile(r"%2e|%2f|%5c|\\|/\.{1,2}(/|\Z)", re.IGNORECASE)


def signature_of(signing_key: str, raw: bytes) -> bytes:
    """Return the signature of a raw body. The HMAC key is the SHA-256 of the signing key, not the key."""
    key = hashlib.sha256(signing_key.encode("utf-8", "surrogatepass")).digest()
    return base64.b64encode(hmac.new(key, raw, hashlib.sha256).digest())


def folded(body: Any) -> dict[str, Any]:
    """Return an object with lower-case keys; releases and clients disagree about MessageId and MessageID."""
    return {key.lower(): value for key, value in body.items()} if isinstance(body, dict) else {}


def refuse(hint: str, status: int = 401) -> WebhookRejected:
    return WebhookRejected(WHERE, hint, status=status)


def judged_key_url(url: Any, options: Options) -> SplitResult:
    """Return the parts of a key URL that may be asked, or raise WebhookRejected."""
    if not isinstance(url, str) or not PLAIN_URL.fullmatch(url):
        raise refuse("it names no signing key")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise refuse("it names no signing key") from None
    same_site = host in (options.host, options.twin)
    if not same_site and not (options.is_cloud and host in CLOUD_HOSTS):
        raise refuse("its signing key is on a host that is not ours")
    practice = options.scheme == "http" and host == options.host and is_loopback(host)
    if parts.scheme != "https" and not (practice and parts.scheme == "http"):
        raise refuse("its signing key is not behind https")
    default = 80 if practice else 443
    allowed_port = (options.port or default) if same_site else default
    if (port or default) != allowed_port:
        raise refuse("its signing key is on a port that is not ours")
    if "@" in parts.netloc or "#" in url:
        raise refuse("the address of its signing key has parts that do not belong there")
    if "callbackkey" not in parts.path.lower() or HIDDEN_PATH.search(parts.path):
        # Any other document of the site could hold a key that a customer wrote.
        raise refuse("the address of its signing key is not one of signing keys")
    told = parse_qsl(parts.query, keep_blank_values=True)
    names = [value.lower() for name, value in told if name.lower() == "companyname"]
    if names != [options.company_id.lower()] and (names or options.is_cloud):
        # The cloud serves every ConnectWise customer; another one's key is genuine, and not ours.
        raise refuse("its signing key belongs to another company")
    return parts


@dataclass
class _Held:
    """One key address: its key or the error, and since when."""

    loading: threading.Lock = field(default_factory=threading.Lock)
    key: str = ""
    error: TemporaryError | WebhookRejected | None = None
    fetched: float = 0.0


class KeyRing:
    """Signing keys by the exact address they came from; kept for minutes, since they rotate."""

    def __init__(self, fetch: Callable[[str], str], clock: Callable[[], float]) -> None:
        self._fetch, self._clock = fetch, clock
        self._lock = threading.Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def key(self, url: str, *, older_than: float = KEY_SECONDS) -> str:
        """Return the key, fetched again if the kept one is older than so many seconds.

        Raises TemporaryError where it cannot be had now, WebhookRejected where it does not exist.
        """
        with self._lock:
            held = self._held.setdefault(url, _Held())
            self._held.move_to_end(url)
            while len(self._held) > KEPT_KEYS:
                self._held.popitem(last=False)
        with held.loading:
            age = self._clock() - held.fetched
            if held.error is not None and age < FAILURE_SECONDS:
                raise held.error
            if held.key and held.error is None and age < older_than:
                return held.key
            try:
                held.key, held.error = self._fetch(url), None
            except (TemporaryError, WebhookRejected) as error:
                held.error = error
                raise
            finally:
                held.fetched = self._clock()
            return held.key

    def age(self, url: str) -> float:
        held = self._held.get(url)
        return self._clock() - held.fetched if held else 0.0


class Callbacks:
    """Authenticates callbacks of one connection."""

    def __init__(self, options: Options, runtime: Runtime, login_headers: Callable[[], Mapping[str, str]]) -> None:
        self._options, self._login_headers = options, login_headers
        # ConnectWise waits five seconds for an answer, so a key must come within three or not at all.
        self._http = Http(
            label="ConnectWise",
            base_url=options.url,
            limits=Limits(concurrency=8),
            connect_timeout=1.0,
            read_timeout=1.0,
            attempts=1,
            sleep=runtime.sleep,
            clock=runtime.clock,
            observe=runtime.observe,
            reach=runtime.reach,
        )
        self._ring = KeyRing(self._fetched, runtime.clock)

    def read(self, request: WebhookRequest) -> Doorbell:
        """Verify a callback and tell what it says; see psa_adapters.base.PSAAdapter.read_webhook."""
        self._check_url_secret(request)
        try:
            body = folded(json.loads(request.body))
        except (ValueError, RecursionError):
            raise refuse("it is not JSON", 400) from None
        if not body:
            raise refuse("it is not a callback", 400)
        self._check_company(body)
        self._check_signature(request, folded(body.get("metadata")).get("key_url"))
        return doorbell(body)

    def _check_url_secret(self, request: WebhookRequest) -> None:
        wanted = self._options.url_secret
        if wanted is not None and not hmac.compare_digest(
            request.query.get("secret", "").encode("utf-8", "surrogatepass"), wanted.encode()
        ):
            raise refuse("its URL does not carry the secret")

    def _check_company(self, body: Mapping[str, Any]) -> None:
        company = body.get("companyid")
        if not isinstance(company, str) or company.lower() != self._options.company_id.lower():
            raise refuse("it speaks for another company")

    def _check_signature(self, request: WebhookRequest, key_url: Any) -> None:
        told = request.headers.get("x-content-signature", "").strip().encode("utf-8", "surrogatepass")
        if not told:
            raise refuse("it is not signed")
        judged_key_url(key_url, self._options)
        if hmac.compare_digest(signature_of(self._ring.key(key_url), request.body), told):
            return
        # The same address may show a new key after a rotation; a key just fetched is not asked for again.
        if self._ring.age(key_url) >= RENEW_AFTER:
            renewed = self._ring.key(key_url, older_than=RENEW_AFTER)
            if hmac.compare_digest(signature_of(renewed, request.body), told):
                return
        raise refuse("its signature does not match")

    def _fetched(self, url: str) -> str:
        where = f"{WHERE}: fetch the signing key"
        asked: dict[str, Any] = {
            "where": where,
            "authenticated": False,
            "max_bytes": MAX_KEY_ANSWER,
            "accept": (401, 403, 404, 410),
        }
        try:
            reply = self._http.send("GET", url, **asked)
            if reply.status in (401, 403) and self._may_sign_in(url):
                reply = self._http.send("GET", url, headers=dict(self._login_headers()), **asked)
        except PermanentError as error:
            raise refuse(f"its signing key cannot be used: {error.hint}") from None
        if reply.status in (404, 410):
            raise refuse("its signing key does not exist any more")
        # The answer is not always labelled as JSON, so only its text counts.
        key = folded(reply.json()).get("signing_key") if reply.ok else None
        if not isinstance(key, str) or not key:
            raise TemporaryError(where, "the signing key could not be read", status=reply.status)
        return key

    def _may_sign_in(self, url: str) -> bool:
        # The twin of a cloud site is the same vendor's; on the premises only the configured host is known.
        host = (urlsplit(url).hostname or "").lower()
        return host == self._options.host or (self._options.is_cloud and host == self._options.twin)


def doorbell(body: Mapping[str, Any]) -> Doorbell:
    """Reduce an authentic callback, its keys in lower case, to what it rings for."""
    if str(body.get("type", "")).lower() != "ticket":
        return Doorbell(ignored="not about a ticket")
    action = str(body.get("action", "")).lower()
    if action != "added":
        return Doorbell(ignored="not a creation")
    record_type = _record_type(body.get("entity"))
    if record_type not in ("", "serviceticket"):
        return Doorbell(ignored="not a service ticket")
    number = body.get("id")
    text = str(number) if isinstance(number, (int, str)) and not isinstance(number, bool) else ""
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text):
        return Doorbell(sweep=True)
    return Doorbell(tickets=(text,))


def _record_type(entity: Any) -> str:
    if isinstance(entity, str):
        try:
            entity = json.loads(entity)
        except (ValueError, RecursionError):
            return ""
    return str(folded(entity).get("recordtype") or "").lower()
