"""The only file that talks HTTP outwards: timeouts, short retries, politeness, host rules.

Two retry layers must not multiply: this one covers seconds; minutes and hours belong to the workflow,
which repeats a step that raised TemporaryError.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3
from requests.auth import AuthBase

from bridge import __version__
from bridge.budgets import HourlyBudget as HourlyBudget
from bridge.budgets import RateBudget as RateBudget
from bridge.discretion import Sent
from bridge.errors import BridgeError, PermanentError, TemporaryError
from bridge.limits import RETRY_WITHIN as RETRY_WITHIN
from bridge.limits import STANDING, Gate
from bridge.limits import Limits as Limits
from bridge.reach import TRANSPORTS, ForbiddenError, Reach, check_url
from bridge.upstream import Judge, no_opinion
from bridge.upstream import NotSentError as NotSentError
from bridge.upstream import Reply as Reply
from bridge.upstream import clip as clip
from bridge.upstream import error_for as error_for

USER_AGENT = f"psa-ai-bridge/{__version__}"
MAX_ANSWER = 32 * 1024 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD"})


class _NoCookies(DefaultCookiePolicy):
    def __init__(self) -> None:
        super().__init__(allowed_domains=[])


@dataclass
class Http:
    """A client of one upstream account: base URL, credentials, limits, and the vendor's judge.

    Raises TemporaryError for time-outs, resets, 408/409/425/429/5xx; AuthRejected for 401/403; NotFound for
    404; PermanentError for the rest; whatever `judge` returns before that. Redirects are never followed.

    `account` names whose limits these are: the same in every process and for all clients of the account; ""
    is this client alone. `hourly` is the account's budget of calls an hour, which several clients of it may
    share; `bucket` names the part of it that a method and path draw on, None for calls that are not counted.
    `patience` is how many seconds a call waits in place for its turn.
    """

    label: str
    base_url: str
    reach: Reach = Reach.VENDOR
    account: str = ""
    headers: Callable[[], Mapping[str, str]] = dict
    auth: AuthBase | None = None
    judge: Judge = no_opinion
    words: Callable[[Reply], str] = lambda _reply: ""
    limits: Limits = field(default_factory=Limits)
    hourly: HourlyBudget | None = None
    bucket: Callable[[str, str], str | None] = lambda _method, _path: ""
    patience: float = RETRY_WITHIN
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    attempts: int = 3
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    observe: Callable[[str, int, float], None] = lambda _where, _status, _seconds: None
    _session: requests.Session = field(init=False, repr=False)
    _retrying: dict[bool, tenacity.Retrying] = field(default_factory=dict, init=False, repr=False)
    _gates: dict[str, Gate] = field(default_factory=dict, init=False, repr=False)
    _budget: RateBudget | None = field(default=None, init=False, repr=False)
    _surroundings: dict[str, Mapping[str, Any]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._session = requests.Session()
        self._session.cookies.set_policy(_NoCookies())
        transport = TRANSPORTS[self.reach]
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, transport(pool_maxsize=max(10, self.limits.concurrency)))
        # Nearly every call succeeds at once, and a retrying costs a tenth of a call: the first try has none.
        for again in (False, True):
            self._retrying[again] = tenacity.Retrying(
                stop=tenacity.stop_after_attempt(self.attempts - 1),
                wait=_wait,
                retry=tenacity.retry_if_exception(partial(_worth_repeating, again=again)),
                sleep=self.sleep,
                reraise=True,
            )
        if self.limits.per_minute:
            self._budget = RateBudget(self.limits.per_minute, sleep=self.sleep, clock=self.clock)

    def get(self, path: str, **options: Any) -> Any:
        """GET and return the parsed JSON; an answer that is not JSON is a TemporaryError."""
        return self.json("GET", path, **options)

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Send and return the parsed JSON body; None for 204 or an empty body of a non-GET."""
        reply = self.send(method, path, **options)
        if not reply.content.strip() and method not in SAFE_METHODS:
            return None
        parsed = reply.json()
        if parsed is None and reply.content.strip() != b"null":
            raise TemporaryError(
                options.get("where") or self._where(method, path),
                "answered with something that is not JSON (a proxy or login page?)",
                status=reply.status,
            )
        return parsed

    def send(
        self,
        method: str,
        path: str,
        *,
        where: str = "",
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        authenticated: bool = True,
        repeatable: bool | None = None,
        accept: Collection[int] = (),
        gate: str = "",
        read_timeout: float | None = None,
        max_bytes: int = MAX_ANSWER,
    ) -> Reply:
        """Send one request and return the Reply, or raise the error it stands for.

        `path` is relative to the base URL or absolute. `repeatable` says that a second sending after a lost
        answer does no harm; default: GET and HEAD only (429 and failures before sending are always repeated).
        Statuses in `accept` are returned instead of raised. `gate` names a concurrency bucket of its own.
        """
        where = where or self._where(method, path)
        url = path if "://" in path else self.base_url.rstrip("/") + "/" + path.lstrip("/")
        wrong = check_url(url, self.reach)
        if wrong:
            raise PermanentError(where, f"the URL {wrong}")
        again = method in SAFE_METHODS if repeatable is None else repeatable
        bucket = self.bucket(method, path)

        def once() -> Reply:
            if self._budget:
                self._budget.take(where)
            if self.hourly and bucket is not None:
                self.hourly.take(where, bucket, patience=self.patience)
            with self._gate(gate).passed():
                if method not in SAFE_METHODS:
                    # Looked at last of all: the waits before may have been long.
                    STANDING.check(where)
                reply = self._exchange(
                    where, method, url, params, json, data, headers, authenticated, again,
                    read_timeout or self.read_timeout, max_bytes,
                )  # fmt: skip
            error = None
            if reply.status not in accept:
                error = self.judge(where, reply)
                if error is None and not reply.ok:
                    error = error_for(where, reply, self.words(reply))
            if error:
                # Some errors come with a status that does not say so.
                error.reword(reply.sent().taken_out_of(error.hint))
                if self.hourly and bucket is not None and (wait := _told_to_rest(error)):
                    self.hourly.rest(bucket, wait)
                raise error
            return reply

        try:
            return once()
        except TemporaryError as error:
            if self.attempts < 2 or not _worth_repeating(error, again=again):
                raise
            wait = _pause(error, 1)
        self.sleep(wait)
        return self._retrying[again](once)

    def _where(self, method: str, path: str) -> str:
        # The path is named without its query: search conditions and tokens stay out of logs and notes.
        return f"{self.label}: {method} {urlsplit(path).path or '/'}"

    def _gate(self, name: str) -> Gate:
        gate = self._gates.get(name)
        if gate is None:
            # Two threads may both ask for it; an account's is the same gate for both.
            gate = self._gates.setdefault(name, STANDING.gate(self.account, name, self.limits.concurrency))
        return gate

    def _exchange(
        self,
        where: str,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        body: Any,
        data: Any,
        headers: Mapping[str, str] | None,
        authenticated: bool,
        again: bool,
        read_timeout: float,
        max_bytes: int,
    ) -> Reply:
        sent = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        if authenticated:
            sent.update(self.headers())
        sent.update(headers or {})
        started = self.clock()
        status = 0
        try:
            request = requests.PreparedRequest()
            request.prepare(
                method=method,
                url=url,
                params=dict(params) if params else None,
                json=body,
                data=data,
                headers=sent,
                auth=(self.auth if authenticated else None) or _anonymous,
            )
            with self._transmit(request, (self.connect_timeout, read_timeout)) as response:
                status = response.status_code
                content = self._read(where, response, max_bytes, started + read_timeout * 2)
                told = {k.lower(): v for k, v in response.headers.items()}
                asked = partial(Sent.of, request.headers, body, data, params)
                if status >= 400:
                    content = asked().taken_out_of_body(content)
                return Reply(method, url, status, told, content, asked)
        except ForbiddenError as error:
            raise PermanentError(where, str(error)) from None
        except requests.exceptions.SSLError:
            raise PermanentError(where, "the TLS certificate could not be verified") from None
        except requests.exceptions.ConnectTimeout:
            raise NotSentError(where, "no connection within the time limit") from None
        except requests.exceptions.ConnectionError as error:
            if _refused(error):
                raise NotSentError(where, "no connection (refused or unknown host)") from None
            raise TemporaryError(where, "the connection broke before the answer was complete") from None
        except requests.exceptions.Timeout:
            raise TemporaryError(where, f"no answer within {read_timeout:.0f} seconds") from None
        except urllib3.exceptions.ReadTimeoutError:
            raise TemporaryError(where, f"no answer within {read_timeout:.0f} seconds") from None
        except urllib3.exceptions.ProtocolError:
            raise TemporaryError(where, "the connection broke before the answer was complete") from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise TemporaryError(where, f"the exchange failed ({type(error).__name__})") from None
        finally:
            self.observe(where, status, self.clock() - started)

    def _transmit(self, request: requests.PreparedRequest, timeout: tuple[float, float]) -> requests.Response:
        """Hand a request to the transport, past what a session would do: cookies, redirects and ~/.netrc.

        None of them is wanted, and together they take as long as the sending. Proxies and certificate bundles of
        the environment are looked up once per address.
        """
        url = str(request.url)
        origin = "/".join(url.split("/", 3)[:3])
        found = self._surroundings.get(origin)
        if found is None:
            found = self._session.merge_environment_settings(url, {}, True, None, None)
            self._surroundings[origin] = found
        return self._session.get_adapter(url).send(request, timeout=timeout, **found)

    def _read(self, where: str, response: requests.Response, max_bytes: int, deadline: float) -> bytes:
        # A server that drips a byte at a time never trips the read time-out, so the whole answer has one too.
        chunks: list[bytes] = []
        size = 0
        # read1 hands over what has arrived; a plain read would wait for all it was asked for, past any deadline.
        while chunk := response.raw.read1(65536, decode_content=True):
            size += len(chunk)
            if size > max_bytes:
                raise PermanentError(where, f"the answer is larger than {max_bytes} bytes")
            if self.clock() > deadline:
                raise TemporaryError(where, "the answer came too slowly")
            chunks.append(chunk)
        return b"".join(chunks)


def _anonymous(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _refused(error: BaseException) -> bool:
    text = repr(error)
    return "NewConnectionError" in text or "NameResolutionError" in text or "ConnectTimeout" in text


def _told_to_rest(error: BridgeError) -> float | None:
    """Return for how long a refusal is about all calls, not only about this one at this moment."""
    if not isinstance(error, TemporaryError) or isinstance(error, NotSentError) or error.status != 429:
        return None
    return error.retry_after


def _worth_repeating(error: BaseException, *, again: bool) -> bool:
    if not isinstance(error, TemporaryError):
        return False
    if error.retry_after is not None and error.retry_after > RETRY_WITHIN:
        return False
    return again or isinstance(error, NotSentError) or error.status == 429


_JITTER = random.SystemRandom()


def _wait(state: tenacity.RetryCallState) -> float:
    return _pause(state.outcome.exception() if state.outcome else None, state.attempt_number + 1)


def _pause(error: BaseException | None, attempt: int) -> float:
    """Return the seconds to wait after a failed attempt, the first being 1."""
    told = error.retry_after if isinstance(error, TemporaryError) else None
    if told is not None:
        return told
    backoff = min(8.0, 0.5 * 2.0 ** (attempt - 1))
    return backoff * (1 - 0.25 * _JITTER.random())
