"""Our callbacks as ConnectWise holds them: list, install, repair, remove."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import quote, urlsplit

from bridge.errors import AuthRejected, NotSupported, PermanentError
from psa_adapters.base import Registration
from psa_adapters.connectwise.client import LABEL, Client, Record, as_record, problems
from psa_adapters.urls import shown

PATH = "/system/callbacks"
STEPS = (
    "Give the API member's role System > Table Setup in System > Security Roles, or let an administrator's API "
    "keys send POST /system/callbacks once, with type ticket, level owner, objectId 1 and the URL"
)
T = TypeVar("T")


class Registrations:
    """Callback entries whose URL ends in this connection's webhook path."""

    def __init__(self, client: Client, path: str, url_secret: str | None) -> None:
        self._client, self._path, self._url_secret = client, path, url_secret

    def url_for(self, url: str) -> str:
        """Return the URL to register. ConnectWise appends the record id, so it gets a parameter to land in."""
        start = url + ("&" if urlsplit(url).query else "?")
        secret = f"secret={quote(self._url_secret, safe='')}&" if self._url_secret else ""
        return f"{start}{secret}recordId="

    def ours(self) -> list[Registration]:
        return self._allowed("list", lambda: [_registration(entry) for entry in self._entries()])

    def install(self, url: str) -> Registration:
        """Register a URL for tickets, or bring what is there back to life; NotSupported without the right."""
        return self._allowed("register", lambda: self._installed(url))

    def _allowed(self, act: str, do: Callable[[], T]) -> T:
        try:
            return do()
        except AuthRejected as error:
            where = f"{LABEL}: {act} callbacks"
            raise NotSupported(where, f"{error.hint.rstrip('.')}. {STEPS}", status=error.status) from None

    def _installed(self, url: str) -> Registration:
        wanted = self.url_for(url)
        repaired = self._repaired(url, wanted)
        if repaired is not None:
            return repaired
        entry = {
            "description": "PSA AI bridge",
            "url": wanted,
            "objectId": 1,
            "type": "ticket",
            "level": "owner",
            "inactiveFlag": False,
            "isSoapCallbackFlag": False,
            # Our own updates and notes need not ring; creations by others still do.
            "isSelfSuppressedFlag": True,
        }
        reply = self._client.request("POST", PATH, json=entry, accept=(400,))
        if reply.status != 400:
            return _registration(as_record(reply))
        if any(problem["code"] == "ObjectExists" for problem in problems(reply)):
            # Somebody, perhaps our own lost first call, registered it meanwhile.
            repaired = self._repaired(url, wanted)
            if repaired is not None:
                return repaired
            hint = "ConnectWise says that a matching callback exists, but shows none of ours; delete the old one"
            raise PermanentError(f"{LABEL}: register the callback", hint, status=400)
        said = "; ".join(problem["message"] for problem in problems(reply))
        raise PermanentError(f"{LABEL}: register the callback", f"refused: {said}", status=400)

    def remove(self, registration: Registration) -> None:
        path = f"{PATH}/{int(registration.id)}"
        self._allowed("remove", lambda: self._client.request("DELETE", path, repeatable=True, accept=(404,)))

    def _entries(self) -> Iterator[Record]:
        for entry in self._client.rows(PATH):
            path = urlsplit(str(entry.get("url") or "")).path.rstrip("/")
            if path.endswith(self._path) and str(entry.get("type", "")).lower() == "ticket":
                yield entry

    def _repaired(self, url: str, wanted: str) -> Registration | None:
        """Return our entry for this URL, put right; entries of other installations are left alone."""
        for entry in self._entries():
            if str(entry["url"]).split("?")[0].rstrip("/") != url.split("?")[0].rstrip("/"):
                continue
            operations: list[dict[str, object]] = []
            if entry["url"] != wanted:
                operations.append({"op": "replace", "path": "url", "value": wanted})
            if entry.get("inactiveFlag") is True:
                operations.append({"op": "replace", "path": "inactiveFlag", "value": False})
            if not operations:
                return _registration(entry)
            path = f"{PATH}/{entry['id']}"
            return _registration(as_record(self._client.request("PATCH", path, json=operations, repeatable=True)))
        return None


def _registration(entry: Record) -> Registration:
    return Registration(
        id=str(entry["id"]),
        url=shown(str(entry.get("url") or "")),
        active=entry.get("inactiveFlag") is not True,
        detail=f"level {entry.get('level')}, object {entry.get('objectId')}",
    )
