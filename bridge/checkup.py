"""What `psa-bridge check` looks at, finding by finding. Reads only; the AI gets one tiny made-up question."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bridge import sentiment_check
from bridge.ai.prices import Tokens, cost_of
from bridge.ai.providers import check_provider
from bridge.budgets import in_background
from bridge.errors import BridgeError, NotUsable
from bridge.guards import active, wants_scope
from bridge.model import Capability, Finding, Level, Ticket
from bridge.oidc import CALLBACK, Client, IdentityProvider
from bridge.prompt_samples import problems
from bridge.prompts import NOTES, PROMPTS
from bridge.reach import is_loopback
from bridge.secrets import KEY
from bridge.settings.model import SSO, Connection, Organization, Provider
from bridge.triage.decide import DEFAULT_MAX_TOKENS
from psa_adapters.base import PSAAdapter

if TYPE_CHECKING:
    from bridge.ai import AIProvider
    from bridge.app import Bridge

LOOK_BACK = (timedelta(days=3), timedelta(days=60))
"""How far back tickets are looked for, to read the lists of their boards, queues or types."""

LISTED, LOOKED_AT = 200, 20
"""So many tickets at most are listed for that, and so many of these read."""


@dataclass(frozen=True)
class Line:
    """A finding and the part of the bridge it is about."""

    area: str
    finding: Finding


@dataclass(frozen=True)
class Checkup:
    """Looks at one Bridge. `offline` makes no call to an AI or a PSA."""

    bridge: Bridge
    offline: bool = False

    def lines(self, only: Collection[str] = ()) -> Iterator[Line]:
        """Yield every finding as soon as it is known; `only` names connections, also ones that are off."""
        if not only:
            yield from self._about("configuration", self._configuration())
            yield from self._about("prompts", self._prompts())
            yield from self._about("database", self._database())
            yield from self._about("vault", self._vault())
            if self.bridge.settings.sso is not None:
                yield from self._about("single sign-on", self._sign_on(self.bridge.settings.sso))
        for organization in self.bridge.settings.organizations.values():
            chosen = [c for c in organization.connections.values() if not only or c.id in only]
            if not only:
                yield from self._about(f"AI of {organization.id}", self._ai(organization))
            for connection in chosen:
                yield from self._about(connection.id, self._connection(organization, connection, bool(only)))

    def _about(self, area: str, findings: Iterator[Finding]) -> Iterator[Line]:
        for finding in findings:
            yield Line(area, finding)

    def _configuration(self) -> Iterator[Finding]:
        settings = self.bridge.settings
        connections = [c for o in settings.organizations.values() for c in o.connections.values()]
        on = [connection for connection in connections if connection.enabled]
        count = (
            f"organizations: {len(settings.organizations)}; connections: {len(connections)}, of them on: {len(on)}"
        )
        yield Finding(Level.OK, str(settings.path), count)
        if self.bridge.source.problem:
            yield Finding(Level.FAILED, "console settings", str(self.bridge.source.problem))
        if not on:
            yield Finding(Level.WARNING, "connections", "none is enabled, so nothing runs")
        url = settings.server.public_url
        parts = urlsplit(url)
        if is_loopback(parts.hostname or "") and any(not _is_practice(connection) for connection in on):
            yield Finding(
                Level.WARNING,
                "server.public_url",
                f"{url} cannot be reached by a PSA: no webhook will come, only sweeps find tickets",
            )
        elif parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            yield Finding(Level.WARNING, "server.public_url", f"{url} is not https; PSAs refuse or expose it")

    def _prompts(self) -> Iterator[Finding]:
        prompts = self.bridge.prompts()
        for name in (*PROMPTS, *NOTES):
            found = problems(prompts, name)
            for error in found:
                yield Finding(Level.FAILED, name, str(error))
            if not found:
                _text, path = prompts.source(name)
                yield Finding(Level.OK, name, str(path))

    def _database(self) -> Iterator[Finding]:
        detail = self.bridge.readiness().detail
        for wrong in detail["wrong"]:
            yield Finding(Level.FAILED, "database", wrong)
        if not detail["wrong"]:
            kind = "SQLite" if self.bridge.settings.database.startswith("sqlite") else "PostgreSQL"
            yield Finding(Level.OK, "database", f"{kind}, can be written")
        for alarm in self.bridge.store.alarms.all():
            yield Finding(Level.WARNING, "alarm", alarm.text)

    def _vault(self) -> Iterator[Finding]:
        vault = self.bridge.secrets.vault
        names = vault.names() if vault else []
        if vault is None or (not names and not vault.keys):
            yield Finding(
                Level.OK, KEY, "not set; it is needed for vault: references and keys typed in the console"
            )
            return
        broken = False
        for name in names:
            try:
                vault.get(name)
            except BridgeError as error:
                broken = True
                yield Finding(Level.FAILED, f"vault:{name}", error.hint)
        if not broken:
            yield Finding(Level.OK, KEY, f"opens the vault (secrets in it: {len(names)})")

    def _sign_on(self, sso: SSO) -> Iterator[Finding]:
        """Look at the identity provider as the first sign-in would; nobody is signed in."""
        bridge = self.bridge
        address = f"{bridge.settings.server.public_url}{CALLBACK}"
        try:
            secret = bridge.secrets.resolve(sso.client_secret)
        except BridgeError as error:
            yield Finding(Level.FAILED, "sso.client_secret", str(error))
            return
        if self.offline:
            yield Finding(Level.OK, sso.issuer, "the client secret is there; not asked (--offline)")
            return
        provider = IdentityProvider(
            Client(sso.issuer, sso.client_id, secret, address),
            now=bridge.clock.now,
            clock=bridge.clock.monotonic,
            sleep=bridge.clock.sleep,
            observe=bridge.metrics.called,
        )
        try:
            keys = provider.look()
        except BridgeError as error:
            yield Finding(Level.FAILED, sso.issuer, str(error))
            return
        yield Finding(Level.OK, sso.issuer, f"discovery document and keys are there (usable keys: {keys})")
        yield Finding(Level.OK, "redirect URI", f"{address} must be registered there exactly like this")

    def _ai(self, organization: Organization) -> Iterator[Finding]:
        if not organization.licensed:
            yield Finding(Level.OK, "licence", "not licensed: nothing runs, no AI page is shown")
            return
        if not organization.ai.enabled:
            yield Finding(
                Level.WARNING, "ai.enabled", "false: nothing runs, nothing is sent, no provider is asked"
            )
            return
        capabilities = list(active(organization))
        if organization.replies.enabled:
            capabilities.append(Capability.REPLIES)
        if not capabilities:
            yield Finding(Level.WARNING, "capabilities", "every capability is off")
            return
        yield from self._capabilities(organization, capabilities)
        for number, configured in enumerate(organization.ai.providers):
            models = {organization.variables.model(c) if number == 0 else None for c in capabilities}
            for model in sorted(models, key=lambda name: name or ""):
                yield self._provider(organization, configured, model)
        yield from self._budget(organization, capabilities)

    def _capabilities(self, organization: Organization, capabilities: list[Capability]) -> Iterator[Finding]:
        for capability in capabilities:
            try:
                self.bridge.chain(organization, capability)
            except NotUsable as error:
                yield Finding(Level.WARNING, capability.value, f"switched on but INACTIVE: {error}")
                continue
            if organization.variables.max_tokens(capability) is None:
                yield Finding(
                    Level.WARNING,
                    capability.value,
                    f"no output limit is set; {DEFAULT_MAX_TOKENS} tokens are used (variables, …_max_tokens)",
                )
            else:
                yield Finding(Level.OK, capability.value, "active")

    def _provider(self, organization: Organization, configured: Provider, model: str | None) -> Finding:
        try:
            provider: AIProvider = self.bridge.provider(organization, configured, model)
        except NotUsable as error:
            return Finding(Level.WARNING, configured.provider, f"cannot be used: {error}")
        if self.offline:
            return Finding(Level.OK, f"{provider.label} ({provider.model})", "not asked (--offline)")
        return check_provider(provider, clock=self.bridge.clock.monotonic)

    def _budget(self, organization: Organization, capabilities: list[Capability]) -> Iterator[Finding]:
        if organization.ai.monthly_budget is None:
            return
        for capability in capabilities:
            try:
                chain = self.bridge.chain(organization, capability)
            except NotUsable:
                continue
            if chain.name == "local":
                continue
            prices = organization.ai.prices
            known = any(chain.model.startswith(name) for name in prices)
            if not known and cost_of(chain.name, [chain.model], Tokens(input=1000, output=1000), {}) is None:
                detail = f"the price of {chain.model} is not known, so the budget cannot hold it; set ai.prices"
                yield Finding(Level.WARNING, "ai.monthly_budget", detail)
                return

    def _connection(self, organization: Organization, connection: Connection, named: bool) -> Iterator[Finding]:
        if not connection.enabled and not named:
            yield Finding(
                Level.OK, "connection", f"switched off, not checked (`psa-bridge check {connection.id}`)"
            )
            return
        try:
            adapter = self.bridge.adapter(connection)
        except BridgeError as error:
            yield Finding(Level.FAILED, "credentials", str(error))
            return
        if not connection.sweep_minutes:
            yield Finding(Level.WARNING, "sweep_minutes", "0: a ticket whose webhook is lost is never handled")
        if self.offline:
            yield Finding(Level.OK, adapter.label, "credentials are there; not asked (--offline)")
            return
        try:
            with in_background():
                findings = adapter.check()
            yield from findings
            # A refused sign-in ends an adapter's list; everything else would only repeat it.
            if len(findings) > 2 or all(finding.level is not Level.FAILED for finding in findings):
                yield from self._sentiment(organization, connection, adapter)
        except BridgeError as error:
            yield Finding(Level.FAILED, adapter.label, str(error))

    def _sentiment(
        self, organization: Organization, connection: Connection, adapter: PSAAdapter
    ) -> Iterator[Finding]:
        """Say what sentiment would write here, with the values of each board, queue or type that has tickets."""
        if Capability.SENTIMENT not in active(organization):
            return
        for back in LOOK_BACK:
            samples: dict[str, Ticket] = {}
            refs = list(islice(adapter.list_created(self.bridge.clock.now() - back), LISTED))
            # Spread over all of them, the newest included: boards that are busy do not hide the others.
            for ref in refs[:: -max(1, -(-len(refs) // LOOKED_AT))][::-1]:
                ticket = adapter.get_ticket(ref, text=False)
                if wants_scope(connection.when, ticket.scope):
                    samples.setdefault(ticket.scope.id if ticket.scope else "", ticket)
            if samples:
                yield from sentiment_check.findings(organization, adapter, tuple(samples.values()))
                return
        yield Finding(Level.WARNING, "sentiment", "no ticket is there to read the PSA's values from")


def unreachable(bridge: Bridge, connection: Connection) -> str:
    """Return server.public_url where the PSA of a connection cannot reach it; empty where it may."""
    url = bridge.settings.server.public_url
    return url if is_loopback(urlsplit(url).hostname or "") and not _is_practice(connection) else ""


def _is_practice(connection: Connection) -> bool:
    urls = [v for v in connection.options.values() if isinstance(v, str) and v.startswith(("http:", "https:"))]
    return bool(urls) and all(is_loopback(urlsplit(url).hostname or "") for url in urls)
