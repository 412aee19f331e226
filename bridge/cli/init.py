"""`psa-bridge init`: a first configuration by asking."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.firstfile import SCORES, Answers
from bridge.cli.firstrun import FirstRun
from bridge.cli.frame import Frame, pass_frame, unknown
from bridge.cli.output import aside, fail, progress, say
from bridge.errors import BridgeError, ConfigError, ConfigErrors, PermanentError
from bridge.model import Finding, Level, Mode

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.settings.questions import Question

PSAS = ("connectwise", "datto", "halopsa", "kaseya_bms")
PROVIDERS = ("openai", "azure_openai", "anthropic", "openrouter", "local")
PROVIDER_FLAGS = ("provider", "api_key", "base_url", "model")
MODES = tuple(mode.value for mode in Mode)

Try = Callable[["Bridge"], list[Finding]]


@click.command()
@click.option("--psa", type=click.Choice(PSAS), help="Which PSA.")
@click.option("--name", help="The name of your company.")
@click.option("--connection", help="Id of the connection, part of its webhook's URL; default: the PSA's key.")
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="KEY=VALUE",
    help="A key of the PSA's block, such as url=https://…; may be repeated. Secrets are references.",
)
@click.option("--provider", type=click.Choice(PROVIDERS), help="Which AI provider.")
@click.option(
    "--api-key", metavar="REFERENCE", help="Where its key is: env:NAME, file:/path; never the key itself."
)
@click.option("--base-url", help="Its address; azure_openai and local need one.")
@click.option("--model", help="Its model; azure_openai: the deployment. Default: the provider's.")
@click.option("--categorization", type=click.Choice(MODES), help="Mode of categorization.")
@click.option("--sentiment", type=click.Choice(MODES), help="Mode of sentiment.")
@click.option("--threshold-sentiment", type=click.IntRange(1, 5), help="Sentiment strictly above it acts.")
@click.option("--threshold-urgency", type=click.IntRange(1, 5), help="Urgency strictly above it acts.")
@click.option("--threshold-impact", type=click.IntRange(1, 5), help="Impact strictly above it acts.")
@click.option("--escalate-owner", metavar="EMAIL", help="Member who gets tickets with negative sentiment.")
@click.option("--report-errors/--no-report-errors", default=None, help="A note when the AI could not be used.")
@click.option("--public-url", help="Address of this service as technicians and the PSA reach it.")
@click.option("--offline", is_flag=True, help="Do not try the credentials.")
@click.option("--webhook/--no-webhook", default=None, help="At the end, install the webhook in the PSA.")
@click.option(
    "--first-ticket/--no-first-ticket", default=None, help="At the end, wait for a ticket and show its result."
)
@click.option(
    "--wait",
    default=300.0,
    show_default=True,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="How long to wait for it.",
)
@click.option("--yes", is_flag=True, help="Ask nothing; take the defaults for what is not given.")
@pass_frame
def init(frame: Frame, /, **flags: Any) -> None:
    """Write a first configuration: asks what it must know, and tries each credential as it is given.

    Every question has an option. The file (--config, default config/bridge.yaml) is never overwritten; only the
    chosen PSA's trigger is on in it. At the end, where you agree, the webhook is installed or the clicks to do are
    shown, and a first ticket is waited for.
    """
    path = frame.path
    if path.exists():
        raise ConfigError("is there already and is never overwritten; edit it, or name another", file=str(path))
    interview = _Interview(flags, Answers())
    interview.run()
    _write(path, interview.answers.text())
    say(f"{path} is written.")
    done, missed = _end(frame, interview)
    _next_steps(interview.answers, done)
    if missed:
        fail()


@dataclass
class _Interview:
    """Asks one question after the other; a flag answers its question, `--yes` takes the default."""

    flags: Mapping[str, Any]
    answers: Answers

    def run(self) -> None:
        a = self.answers
        a.psa = self._choose("psa", "Which PSA", PSAS, None)
        a.connection = self.flags["connection"] or a.psa.replace("_", "-")
        a.name = self._ask("name", "Name of your company", a.name)
        a.organization = re.sub(r"[^a-z0-9]+", "-", a.name.casefold()).strip("-")[:63].strip("-") or "main"
        self._until_good(self._psa, self._try_psa, {"given": ()})
        self._until_good(self._provider, self._try_provider, dict.fromkeys(PROVIDER_FLAGS))
        a.categorization = self._choose("categorization", "Categorization", MODES, a.categorization)
        a.sentiment = self._choose("sentiment", "Sentiment", MODES, a.sentiment)
        if a.sentiment != "off":
            for score in SCORES:
                text = f"Threshold of {score}, 1 to 5; strictly above acts"
                a.thresholds[score] = self._ask(f"threshold_{score}", text, 3, type_=click.IntRange(1, 5))
            owner = self._ask("escalate_owner", "E-mail of the member who gets angry tickets; empty: nobody", "")
            a.owner = owner.strip() or None
        a.report_errors = self._report_errors()
        a.public_url = self._ask("public_url", "Address of this service for the PSA and technicians", a.public_url)
        _readable(a)

    def _psa(self) -> None:
        from bridge.app import ADAPTERS
        from bridge.settings.questions import nested, questions

        asked = list(questions(ADAPTERS[self.answers.psa].schema()))
        given = self._given(asked)
        found: dict[tuple[str, ...], Any] = {}
        for question in asked:
            if question.path in given:
                found[question.path] = given[question.path]
            elif question.required:
                found[question.path] = self._answer(question)
        self.answers.options = nested(found)

    def _given(self, asked: list[Question]) -> dict[tuple[str, ...], Any]:
        """Read `--set`; a wrong key or value is a wrong argument."""
        known = {question.name: question for question in asked}
        found = {}
        for pair in self.flags["given"]:
            name, mark, value = pair.partition("=")
            if not mark:
                raise click.UsageError(f'--set takes KEY=VALUE, not "{name[:40]}"')
            if name not in known:
                raise click.UsageError("--set: " + unknown("key", name, list(known)))
            try:
                found[known[name].path] = known[name].read(value)
            except ValueError as error:
                raise click.UsageError(f"--set {name}: {error}") from None
        return found

    def _answer(self, question: Question) -> Any:
        reference = f"env:{self.answers.connection}_{'_'.join(question.path)}".replace("-", "_")
        default = f"env:{reference.removeprefix('env:').upper()}" if question.secret else None
        if self.flags["yes"]:
            if default is None:
                raise click.UsageError(f"--set {question.name}=… is needed")
            return default
        where = "where it is: env:NAME or file:/path, never the secret itself" if question.secret else ""
        told = "; ".join(part for part in (question.description, where) if part)
        while True:
            typed = click.prompt(f"{question.name}{f' ({told})' if told else ''}", default=default)
            try:
                return question.read(str(typed))
            except ValueError as error:
                aside(f"{question.name}: {error}")

    def _provider(self) -> None:
        from bridge.app import PROVIDERS as PRESETS

        a = self.answers
        a.provider = self._choose("provider", "Which AI provider", PROVIDERS, a.provider)
        preset = PRESETS[a.provider]
        needs_url, needs_model = preset.base_url_rule.value == "required", not preset.model
        a.base_url = self.flags["base_url"]
        if a.base_url is None and needs_url:
            a.base_url = self._ask("base_url", "Its address", preset.base_url_hint)
        a.model = self.flags["model"]
        if a.model is None:
            model = self._ask("model", f"Model ({preset.model_hint})", preset.model or None)
            a.model = model if needs_model or model != preset.model else None
        a.api_key = self.flags["api_key"]
        if a.api_key is None and preset.key_required:
            default = f"env:{'AZURE_OPENAI' if a.provider == 'azure_openai' else a.provider.upper()}_API_KEY"
            a.api_key = self._ask("api_key", "Its key (env:NAME or file:/path, never the key itself)", default)

    def _report_errors(self) -> bool:
        if self.flags["report_errors"] is not None:
            return bool(self.flags["report_errors"])
        text = "Leave a note on the ticket when the AI could not be used"
        return True if self.flags["yes"] else click.confirm(text, default=True)

    def _ask(self, flag: str, text: str, default: Any, type_: Any = None) -> Any:
        if self.flags[flag] is not None:
            return self.flags[flag]
        if self.flags["yes"]:
            if default is None:
                raise click.UsageError(f"--{flag.replace('_', '-')} is needed")
            return default
        return click.prompt(text, default=default, type=type_, show_default=default != "")

    def _choose(self, flag: str, text: str, words: tuple[str, ...], default: str | None) -> str:
        return str(self._ask(flag, text, default, type_=click.Choice(words)))

    def _until_good(self, ask: Callable[[], None], attempt: Try, unset: Mapping[str, Any]) -> None:
        """Ask, check, try; where that fails, a person may answer again, without the flags of `unset`."""
        while True:
            ask()
            wrong = self._wrong(attempt)
            if not wrong:
                return
            for line in wrong:
                aside(line)
            if self.flags["yes"]:
                raise PermanentError(
                    "init", "nothing is written; put it right, or use --offline to write it untried"
                )
            if not click.confirm("Answer these again", default=True):
                return
            # What a flag said was wrong too, so it no longer answers for the person.
            self.flags = {**self.flags, **unset}

    def _wrong(self, attempt: Try) -> list[str]:
        try:
            _readable(self.answers)
        except ConfigErrors as errors:
            return [error.message for error in errors.errors]
        if self.flags["offline"]:
            return []
        from bridge.secrets import SecretUnavailable

        try:
            with tempfile.TemporaryDirectory() as folder, progress("trying"):
                findings = _tried(Path(folder), self.answers, attempt)
        except SecretUnavailable as error:
            aside(f"not tried yet: {error}")
            return []
        except BridgeError as error:
            return [str(error)]
        for finding in findings:
            if finding.level is Level.OK:
                aside(f"ok: {finding.subject}: {finding.detail}")
            elif finding.level is Level.WARNING:
                aside(f"warning: {finding.subject}: {finding.detail}")
        return [f"{one.subject}: {one.detail}" for one in findings if one.level is Level.FAILED]

    def _try_psa(self, bridge: Bridge) -> list[Finding]:
        found = bridge.place(self.answers.connection)
        assert found is not None
        return found[2].check()

    def _try_provider(self, bridge: Bridge) -> list[Finding]:
        from bridge.ai.providers import check_provider

        organization = bridge.settings.organizations[self.answers.organization]
        return [check_provider(bridge.provider(organization, organization.ai.primary))]


def _readable(answers: Answers) -> None:
    """Read the text as the service will; ConfigErrors."""
    from bridge.app import ADAPTERS
    from bridge.app import PROVIDERS as PRESETS
    from bridge.settings.load import load

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bridge.yaml"
        path.write_text(answers.text(), encoding="utf-8")
        load(path, adapters=ADAPTERS, providers=PRESETS)


def _tried(folder: Path, answers: Answers, attempt: Try) -> list[Finding]:
    """Open a Bridge on the answers with a database of its own, and try something on it."""
    path = folder / "bridge.yaml"
    path.write_text(answers.text(database=f"sqlite:///{(folder / 'try.db').as_posix()}"), encoding="utf-8")
    with Frame(str(path)).bridge() as bridge:
        return attempt(bridge)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError("is there already and is never overwritten", file=str(path)) from None
    except OSError as error:
        raise PermanentError(str(path), f"cannot be written: {error.strerror}") from None


def _end(frame: Frame, interview: _Interview) -> tuple[set[str], bool]:
    """See to webhook and first ticket; return which of them is done, and whether one that was ordered is not."""
    flags, answers = interview.flags, interview.answers
    if flags["offline"] or _unset(answers) or _in_vault(answers):
        return set(), False
    first = FirstRun(frame, answers.connection, flags)
    ends = {"webhook": first.webhook, "first_ticket": first.ticket}
    done = {name for name, act in ends.items() if act()}
    return done, any(flags[name] for name in ends if name not in done)


def _unset(answers: Answers) -> list[str]:
    named = [one.removeprefix("env:") for one in answers.references() if one.startswith("env:")]
    return [name for name in named if not os.environ.get(name)]


def _in_vault(answers: Answers) -> list[str]:
    return [one for one in answers.references() if one.startswith("vault:")]


def _next_steps(answers: Answers, done: Collection[str]) -> None:
    say("Next:")
    steps = []
    unset = _unset(answers)
    if unset:
        steps.append(f"set in the environment: {', '.join(unset)}")
    if any("WEBHOOK" in name for name in unset):
        steps.append(
            "the webhook's is any random text of your own, for example from: "
            'python -c "import secrets; print(secrets.token_urlsafe(24))"'
        )
    steps += [f"psa-bridge secrets set {reference.removeprefix('vault:')}" for reference in _in_vault(answers)]
    steps.append("psa-bridge check")
    if "webhook" not in done:
        steps.append(f"psa-bridge webhooks install {answers.connection}")
    steps += ["psa-bridge users add NAME --role owner   (for the console)", "psa-bridge serve"]
    for number, step in enumerate(steps, start=1):
        say(f"  {number}. {step}")
