"""`psa-bridge webhooks`: our webhooks at the PSA, where its API allows it; else the steps to do by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, runtime_checkable

import click

from bridge.cli.frame import Frame, pass_frame, place, who
from bridge.cli.output import as_json, aside, fail, print_json, progress, say, table
from bridge.errors import NotFound, NotSupported
from bridge.reach import Reach, check_url

if TYPE_CHECKING:
    from bridge.app import Bridge


@runtime_checkable
class KeepsDeliveries(Protocol):
    """A PSA whose API shows what it delivered."""

    def deliveries(self, limit: int) -> Sequence[Any]:
        """Return the newest deliveries, newest first."""


def _address(_context: click.Context, _parameter: click.Parameter, given: str | None) -> str | None:
    """Refuse an address that no webhook could come to; of a URL from `webhooks list` the query is ours to add."""
    if given is None:
        return None
    wrong = check_url(given, Reach.LAN) or ("must not contain a query" if "?" in given else None)
    if wrong:
        raise click.BadParameter(wrong)
    return given


@click.group()
def webhooks() -> None:
    """Manage the webhooks at the PSA; where its API does not allow it, the steps to do by hand are printed."""


@webhooks.command("list")
@click.argument("connection")
@as_json
@pass_frame
def list_(frame: Frame, connection: str, json_: bool) -> None:
    """List our webhooks at the PSA of CONNECTION, and the URL they should have."""
    with frame.bridge() as bridge:
        _organization, _connection, adapter = place(bridge, connection)
        url = _url(bridge, connection)
        try:
            with progress(f"asking {adapter.label}"):
                found = adapter.webhooks()
        except NotSupported as error:
            _by_hand(error, url)
    if json_:
        print_json({"url": url, "webhooks": [asdict(one) for one in found]})
        return
    say(f"URL for {connection}: {url}")
    rows = [(one.id, "on" if one.active else "OFF", one.url, one.detail) for one in found]
    table(
        ("id", "state", "url", "detail"), rows, empty="none is registered; `psa-bridge webhooks install` does it"
    )


@webhooks.command()
@click.argument("connection")
@click.option(
    "--url",
    callback=_address,
    help="Address of this service to register instead of server.public_url; what the PSA needs is added to it.",
)
@pass_frame
def install(frame: Frame, connection: str, url: str | None) -> None:
    """Register our webhook at the PSA of CONNECTION, or repair the one that is there."""
    with frame.bridge() as bridge:
        if not register(bridge, connection, url):
            fail()


def register(bridge: Bridge, connection: str, url: str | None = None) -> bool:
    """Register our webhook and say so; False where only the steps to do by hand could be printed."""
    from bridge.store.audit import WEBHOOK

    organization, found, adapter = place(bridge, connection)
    plain = _plain_url(bridge, connection, url)
    try:
        with progress(f"asking {adapter.label}"):
            registered = adapter.install_webhook(plain)
    except NotSupported as error:
        _steps(error, adapter.webhook_url(plain))
        return False
    detail = {"organization": organization.id, "webhook": registered.id}
    bridge.store.audit.add(who(), WEBHOOK, connection, detail)
    state = "is on" if registered.active else "is registered, but OFF"
    say(f"{adapter.label}: webhook {registered.id} {state}: {registered.url}")
    if registered.detail:
        say(registered.detail)
    if not found.enabled or not organization.ai.enabled:
        aside(f"{connection} or the AI of {organization.id} is still switched off; webhooks will be ignored")
    return True


@webhooks.command()
@click.argument("connection")
@click.option("--id", "id_", help="Only the webhook with this id; default: all of ours for this connection.")
@pass_frame
def remove(frame: Frame, connection: str, id_: str | None) -> None:
    """Take our webhooks away from the PSA of CONNECTION."""
    from bridge.store.audit import WEBHOOK_REMOVED

    with frame.bridge() as bridge:
        organization, _connection, adapter = place(bridge, connection)
        try:
            with progress(f"asking {adapter.label}"):
                found = adapter.webhooks()
                wanted = [one for one in found if (one.id == id_ if id_ else _ours(one.url, connection))]
                for one in wanted:
                    adapter.remove_webhook(one)
        except NotSupported as error:
            _by_hand(error, _url(bridge, connection))
        if wanted:
            detail = {"organization": organization.id, "webhooks": [one.id for one in wanted]}
            bridge.store.audit.add(who(), WEBHOOK_REMOVED, connection, detail)
        if not id_:
            bridge.chores.removed_webhooks(connection)
    if id_ and not wanted:
        raise NotFound("webhooks", f"{connection} has no webhook {id_}; `psa-bridge webhooks list` shows them")
    say(f"{len(wanted)} removed")


@webhooks.command()
@click.argument("connection")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200), help="How many.")
@as_json
@pass_frame
def deliveries(frame: Frame, connection: str, limit: int, json_: bool) -> None:
    """Show what the PSA of CONNECTION says it delivered, without ticket text (Kaseya BMS)."""
    with frame.bridge() as bridge:
        _organization, _connection, adapter = place(bridge, connection)
        if not isinstance(adapter, KeepsDeliveries):
            raise NotSupported(
                adapter.label, "its API does not show deliveries; `psa-bridge runs list` shows what arrived"
            )
        with progress(f"asking {adapter.label}"):
            found = [_plain(delivery) for delivery in adapter.deliveries(limit)]
    if json_:
        print_json(found)
        return
    columns = ("at", "event", "delivered", "status")
    rows = [[one.get(name, "") for name in columns] for one in found]
    table(columns, rows, empty="no delivery is recorded")


def _plain(delivery: Any) -> dict[str, Any]:
    return asdict(delivery) if is_dataclass(delivery) and not isinstance(delivery, type) else dict(vars(delivery))


def _plain_url(bridge: Bridge, connection: str, address: str | None = None) -> str:
    _organization, found, _adapter = place(bridge, connection)
    door = f"/webhooks/{found.psa}/{connection}"
    # The whole URL may be given too: it is what `webhooks list` prints.
    return (address or bridge.settings.server.public_url).rstrip("/").removesuffix(door) + door


def _url(bridge: Bridge, connection: str) -> str:
    """Return the URL to paste into the PSA; it may hold a secret of ours."""
    _organization, _found, adapter = place(bridge, connection)
    return adapter.webhook_url(_plain_url(bridge, connection))


def _ours(url: str, connection: str) -> bool:
    return url.split("?")[0].rstrip("/").endswith(f"/{connection}")


def _by_hand(error: NotSupported, url: str) -> NoReturn:
    """Print the steps to do by hand and end with exit status 1."""
    _steps(error, url)
    fail()


def _steps(error: NotSupported, url: str) -> None:
    """Print the steps to do by hand, with the URL to paste."""
    say(str(error))
    say(f"URL: {url}")
