"""The floor: a bare script that does the same job with no promise at all.

It answers before it has stored anything, forgets everything when it ends, checks and compares nothing. Whoever
writes the integration in an afternoon has this; what the bridge costs on top is the price of its promises.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from waitress.server import create_server

from benchmarks import upstream

WORKERS = 50


class Bare:
    """A WSGI application and a pool of threads."""

    def __init__(self, base_url: str) -> None:
        self._base = f"{base_url}/{upstream.CODEBASE}/apis/3.0"
        self._ai = f"{base_url}/v1/chat/completions"
        self._pool = ThreadPoolExecutor(WORKERS)
        self._local = threading.local()
        rows = upstream.lists()
        names = {row["id"]: row["name"] for kind in ("types", "subtypes", "items") for row in rows[kind]}
        self._paths = [
            tuple((key, row[key]["id"], names[row[key]["id"]]) for key in ("type", "subType", "item"))
            for row in rows["typesubtypeitemassociations"]
        ]
        listed = "\n".join(f"C{n} | {' / '.join(p[2] for p in path)}" for n, path in enumerate(self._paths, 1))
        self._system = f"Choose the one category that fits the ticket best.\n{listed}"

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0)))
        self._pool.submit(self._handle, int(body["ID"]))
        start("202 Accepted", [("Content-Type", "application/json")])
        return [b'{"status": "accepted"}']

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.auth = (f"{upstream.COMPANY}+{upstream.PUBLIC_KEY}", upstream.PRIVATE_KEY)
            session.headers["clientId"] = upstream.CLIENT_ID
        return session

    def _handle(self, number: int) -> None:
        session, url = self._session(), f"{self._base}/service/tickets/{number}"
        ticket = session.get(url, timeout=30).json()
        text = session.get(f"{url}/notes", timeout=30).json()[0]["text"]
        question = [
            {"role": "system", "content": self._system},
            {"role": "user", "content": f"{ticket['summary']}\n\n{text}"},
        ]
        asked = session.post(self._ai, json={"model": "x", "messages": question}, timeout=60).json()
        code = json.loads(asked["choices"][0]["message"]["content"])["category"]
        path = self._paths[int(code[1:]) - 1]
        session.patch(
            url,
            json=[{"op": "replace", "path": key, "value": {"id": id_}} for key, id_, _name in path],
            timeout=30,
        )
        said = f"AI triage: category set to {' / '.join(part[2] for part in path)}"
        session.post(f"{url}/notes", json={"text": said, "internalAnalysisFlag": True}, timeout=30)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    app = Bare(given.upstream)
    server: Any = create_server(app, host="127.0.0.1", port=given.port, threads=20, connection_limit=1000)
    server.run()


if __name__ == "__main__":
    main()
