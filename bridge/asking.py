"""From an organization's settings to an AI that can be asked: keys, fallbacks, breakers, budget, alarms."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from bridge.ai import (
    PROVIDERS,
    AIProvider,
    AIRuntime,
    Completion,
    Outgoing,
    Price,
    Privacy,
    Prompt,
    ProviderConfig,
)
from bridge.ai.breaker import Breakers
from bridge.ai.chain import Chain
from bridge.ai.providers import build_provider
from bridge.built import Built
from bridge.errors import BridgeError, NotUsable, Paused
from bridge.metrics import Metrics
from bridge.model import Capability, Spent
from bridge.secrets import Secrets
from bridge.settings.model import Organization, Provider, Settings
from bridge.store import Store


class Asking:
    """The AI side of the composition root. One per process, so that breakers and learned limits are shared."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        secrets: Secrets,
        store: Store,
        metrics: Metrics,
        runtime: AIRuntime,
        now: Callable[[], datetime],
        alarm: Callable[[str, str, str], None],
    ) -> None:
        self.settings, self.secrets, self.store, self.metrics = settings, secrets, store, metrics
        self.runtime, self.now = runtime, now
        self.breakers = Breakers(runtime.clock, alarm=self._breaker_alarm)
        self._alarm = alarm
        # Those of an earlier process too: without them an alarm would outlive its cause by a restart.
        self._raised = {alarm.name for alarm in store.alarms.all() if alarm.name.startswith(("ai:", "budget:"))}
        self._lock = threading.Lock()
        self._providers = Built[AIProvider]()

    def asker(self, organization: Organization, capability: Capability) -> Budgeted:
        """Return the AI of an organization for a capability; NotUsable where nothing can be asked."""
        return Budgeted(self, organization, self.chain(organization, capability))

    def chain(self, organization: Organization, capability: Capability) -> Chain:
        """Return the usable providers in order; NotUsable, with the first one's reason, where there is none."""
        model = organization.variables.model(capability)
        providers, missing = [], []
        for number, configured in enumerate(organization.ai.providers):
            try:
                providers.append(self.provider(organization, configured, model if number == 0 else None))
            except NotUsable as error:
                missing.append(error)
        if not providers:
            raise missing[0]
        return Chain(providers, breakers=self.breakers)

    def provider(self, organization: Organization, configured: Provider, model: str | None = None) -> AIProvider:
        """Build one configured provider with its key: the organization's own, else the platform's."""
        reference = configured.api_key
        if reference is None and organization.ai.may_use_platform_key(configured):
            reference = self.settings().platform_keys.get(configured.provider)
        key = self.secrets.resolve(reference) if reference else None
        config = self._config(organization, configured, key, model)
        name = f"{organization.id}/{configured.provider}/{config.model}"
        return self._providers.get(name, config, lambda: build_provider(config, self.runtime))

    def untried(self, organization: Organization, configured: Provider, key: str) -> AIProvider:
        """Build a provider with a key that is stored nowhere, for testing it; nothing is kept."""
        return build_provider(self._config(organization, configured, key, None), self.runtime)

    @staticmethod
    def _config(
        organization: Organization, configured: Provider, key: str | None, model: str | None
    ) -> ProviderConfig:
        return ProviderConfig(
            provider=configured.provider,
            api_key=key,
            base_url=configured.base_url,
            model=model or configured.model,
            api_version=configured.api_version,
            timeout_seconds=configured.timeout_seconds,
            options=configured.options,
            typed_in_console=organization.ai.typed(configured),
            prices={
                name: Price(price.input, price.output, price.cached)
                for name, price in organization.ai.prices.items()
            },
        )

    def month_began(self) -> float:
        now = self.now()
        return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()

    def raise_alarm(self, name: str, organization: str, text: str) -> None:
        with self._lock:
            self._raised.add(name)
        self._alarm(name, organization, text)

    def clear_alarms(self, *names: str) -> None:
        """End alarms of this process or of an earlier one; asks the database only where there is one to end."""
        for name in names:
            with self._lock:
                raised = name in self._raised
                self._raised.discard(name)
            if raised:
                self.store.alarms.clear(name)

    def end_idle_alarms(self) -> None:
        """End alarms of providers and budgets that no organization uses any more; nothing else would end them."""
        settings = self.settings()
        live = [one for one in settings.organizations.values() if one.licensed and one.ai.enabled]
        providers = {configured.provider for one in live for configured in one.ai.providers}
        budgets = {one.id for one in live if one.ai.monthly_budget is not None}
        for alarm in self.store.alarms.all():
            kind, *_, about = alarm.name.split(":")
            if (kind == "ai" and about not in providers) or (kind == "budget" and about not in budgets):
                self.store.alarms.clear(alarm.name)

    def _breaker_alarm(self, kind: str, provider: str, text: str) -> None:
        label = PROVIDERS[provider].label if provider in PROVIDERS else provider
        self.raise_alarm(f"ai:{kind}:{provider}", "", f"{label}: {text}")


class Budgeted:
    """Asks a chain unless the organization's monthly budget is used up; counts what was used."""

    def __init__(self, asking: Asking, organization: Organization, chain: Chain) -> None:
        self._asking, self._organization, self._chain = asking, organization, chain

    def complete(self, prompt: Prompt, *, max_tokens: int, privacy: Privacy = "default") -> Completion:
        """Ask; Paused while the budget is used up."""
        self._within_budget()
        try:
            completion = self._chain.complete(prompt, max_tokens=max_tokens, privacy=privacy)
        except BridgeError as error:
            self._count(*error.spent)
            raise
        self._count(*completion.lost, Spent(completion.provider, completion.usage))
        self._asking.clear_alarms(*(f"ai:{kind}:{completion.provider}" for kind in ("quota", "key", "down")))
        return completion

    def outgoing(self, prompt: Prompt, *, max_tokens: int, privacy: Privacy = "default") -> Outgoing:
        """Return what `complete` would send first."""
        return self._chain.outgoing(prompt, max_tokens=max_tokens, privacy=privacy)

    def _count(self, *spent: Spent) -> None:
        for one in spent:
            self._asking.metrics.used(self._organization.id, one.provider, one.usage)

    def _within_budget(self) -> None:
        limit = self._organization.ai.monthly_budget
        if limit is None:
            return
        name = f"budget:{self._organization.id}"
        spent, _usage = self._asking.store.runs.spent(self._organization.id, self._asking.month_began())
        if spent < limit:
            self._asking.clear_alarms(name)
            return
        text = (
            f"{self._organization.name or self._organization.id} has used its AI budget for this month "
            f"(${spent:.2f} of ${limit:.2f}); tickets wait until it is raised or the month ends"
        )
        self._asking.raise_alarm(name, self._organization.id, text)
        raise Paused("AI budget", "this month's AI budget is used up; the ticket waits")
