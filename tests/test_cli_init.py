"""`init`: what it writes, what it asks, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge.app import ADAPTERS, PROVIDERS
from bridge.cli import main
from bridge.cli.firstfile import Answers
from bridge.cli.firstrun import FirstRun
from bridge.cli.frame import Frame
from bridge.model import Mode
from bridge.settings.load import load
from bridge.settings.model import Settings
from bridge.settings.questions import questions
from tests.practice import JAM, Practice, practice

PSA_ANSWERS: dict[str, list[str]] = {
    "connectwise": [
        "url=https://api-na.myconnectwise.net",
        "company_id=00123",
        "public_key=abc",
        "client_id=11111111-1111-1111-1111-111111111111",
    ],
    "datto": ["username=bridge@example.com"],
    "halopsa": ["url=https://acme.halopsa.com", "client_id=x", "webhook.username=hook"],
    "kaseya_bms": ["url=https://api.bms.kaseya.com", "company=yes", "username=bridge"],
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    folder = tmp_path / "world"
    folder.mkdir()
    with practice(folder, monkeypatch) as found:
        yield found


def init(path: Path, *args: str, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(main, ["--config", str(path), "init", *args], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def sets(pairs: list[str]) -> list[str]:
    return [part for pair in pairs for part in ("--set", pair)]


def read(path: Path) -> Settings:
    return load(path, adapters=ADAPTERS, providers=PROVIDERS)


def practice_sets(world: Practice) -> list[str]:
    block: dict[str, Any] = world.tickets.options()
    schema = ADAPTERS[world.psa].schema()
    found = []
    for question in questions(schema):
        value: Any = block
        for part in question.path:
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found.append(f"{question.name}={value}")
    return found


@pytest.mark.parametrize("psa", PSA_ANSWERS)
def test_the_file_holds_the_chosen_psa_switched_on_and_nothing_else(psa: str, tmp_path: Path) -> None:
    path = tmp_path / "config" / "bridge.yaml"
    done = init(path, "--yes", "--offline", "--psa", psa, "--name", "Müller & Söhne: IT", *sets(PSA_ANSWERS[psa]))
    assert done.exit_code == 0, done.output
    (organization,) = read(path).organizations.values()
    assert organization.name == "Müller & Söhne: IT"
    assert organization.ai.enabled
    assert organization.categorization.mode is Mode.SUGGEST
    assert organization.sentiment.mode is Mode.OFF
    ((id_, connection),) = organization.connections.items()
    assert (id_, connection.psa, connection.enabled) == (psa.replace("_", "-"), psa, True)
    assert "psa-bridge check" in done.stdout
    assert f"psa-bridge webhooks install {id_}" in done.stdout
    assert "psa-bridge serve" in done.stdout


def test_text_that_looks_like_something_else_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    init(path, "--yes", "--offline", "--psa", "connectwise", *sets(PSA_ANSWERS["connectwise"]))
    (organization,) = read(path).organizations.values()
    assert organization.connections["connectwise"].options["company_id"] == "00123"
    path = tmp_path / "other.yaml"
    init(path, "--yes", "--offline", "--psa", "kaseya_bms", *sets(PSA_ANSWERS["kaseya_bms"]))
    (organization,) = read(path).organizations.values()
    assert organization.connections["kaseya-bms"].options["company"] == "yes"


def test_every_question_has_a_flag(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    done = init(
        path, "--offline", "--psa", "connectwise", "--name", "Acme", "--connection", "cw-main",
        *sets([*PSA_ANSWERS["connectwise"], "private_key=env:CW_KEY"]),
        "--provider", "azure_openai", "--api-key", "file:/run/secrets/azure", "--model", "my-deployment",
        "--base-url", "https://acme.openai.azure.com", "--categorization", "apply", "--sentiment", "shadow",
        "--threshold-sentiment", "2", "--threshold-urgency", "4", "--threshold-impact", "5",
        "--escalate-owner", "lead@example.com", "--no-report-errors", "--public-url", "https://bridge.example.com",
        stdin="",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    settings = read(path)
    organization = settings.organizations["acme"]
    ai = organization.ai
    assert (ai.primary.provider, ai.primary.api_key) == ("azure_openai", "file:/run/secrets/azure")
    assert (ai.primary.model, ai.primary.base_url) == ("my-deployment", "https://acme.openai.azure.com")
    assert ai.report_errors is False
    assert organization.categorization.mode is Mode.APPLY
    assert organization.sentiment.thresholds == {"sentiment": 2, "urgency": 4, "impact": 5}
    assert organization.sentiment.escalate.owner == "lead@example.com"
    assert organization.connections["cw-main"].options["private_key"] == "env:CW_KEY"
    assert settings.server.public_url == "https://bridge.example.com"


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text("mine", encoding="utf-8")
    done = init(path, "--yes", "--offline", "--psa", "datto", *sets(PSA_ANSWERS["datto"]))
    assert done.exit_code == 2
    assert "never overwritten" in done.stderr
    assert path.read_text("utf-8") == "mine"


def local_ai(world: Practice) -> list[str]:
    """Return the flags that choose the practice AI."""
    return ["--provider", "local", "--base-url", world.world.ai.base_urls["local"], "--model", "practice-stand-in"]


def test_credentials_are_tried_as_they_are_given(world: Practice, tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    done = init(path, "--yes", "--psa", world.psa, *sets(practice_sets(world)), *local_ai(world))
    assert done.exit_code == 0, done.output
    assert "ok: Local AI server" in done.stderr
    assert world.tickets.server.requests() != []
    assert path.exists()


def test_refused_credentials_write_nothing(
    world: Practice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in world.world.secrets():
        monkeypatch.setenv(name, "wrong-wrong-wrong")
    path = tmp_path / "bridge.yaml"
    done = init(path, "--yes", "--psa", world.psa, *sets(practice_sets(world)))
    assert done.exit_code == 1
    assert "nothing is written" in done.stderr
    assert "wrong-wrong-wrong" not in done.output
    assert not path.exists()


def test_a_credential_that_is_not_set_yet_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    done = init(
        path, "--yes", "--psa", "connectwise", *sets(PSA_ANSWERS["connectwise"]), "--api-key", "env:NOT_SET_YET"
    )
    assert done.exit_code == 0, done.output
    assert "not tried yet" in done.stderr
    assert "set in the environment: NOT_SET_YET, CONNECTWISE_PRIVATE_KEY" in done.stdout


def test_a_person_is_asked_and_may_answer_again(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    typed = [
        "halopsa", "Acme IT",
        "http://acme.halopsa.com", "https://acme.halopsa.com", "an-id", "my secret", "env:HALO",
        "hook", "env:HOOK",
        "anthropic", "claude-x", "env:ANTHROPIC_API_KEY",
        "apply", "suggest", "6", "2", "3", "3", "lead@example.com", "n", "https://bridge.example.com",
    ]  # fmt: skip
    done = init(path, "--offline", stdin="\n".join(typed) + "\n")
    assert done.exit_code == 0, done.output
    assert "url: " in done.stderr
    assert "client_secret: must be a reference" in done.stderr
    organization = read(path).organizations["acme-it"]
    assert organization.connections["halopsa"].options["client_secret"] == "env:HALO"
    assert (organization.ai.primary.provider, organization.ai.primary.model) == ("anthropic", "claude-x")
    assert organization.categorization.mode is Mode.APPLY
    assert organization.sentiment.thresholds["sentiment"] == 2
    assert organization.ai.report_errors is False


def test_an_end_of_the_input_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    done = init(path, "--offline", stdin="halopsa\n")
    assert done.exit_code == 1
    assert "stopped" in done.stderr
    assert not path.exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--yes"], "--psa is needed"),
        (["--yes", "--psa", "halopsa"], "--set url=… is needed"),
        (["--yes", "--psa", "halopsa", "--set", "ulr=x"], 'did you mean "url"?'),
        (["--yes", "--psa", "halopsa", "--set", "url"], "--set takes KEY=VALUE"),
        (["--yes", "--psa", "halopsa", "--set", "client_secret=hunter2hunter2"], "must be a reference"),
        (["--yes", "--psa", "halopsa", "--set", "category_field=7"], "--set category_field"),
        (["--psa", "zendesk"], "'zendesk' is not one of"),
    ],
)
def test_wrong_answers_are_wrong_usage(args: list[str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    done = init(path, "--offline", *args)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "hunter2" not in done.output
    assert not path.exists()


def test_what_only_the_whole_block_shows_is_found(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    pairs = ["url=https://bms.kaseya.com", "company=Acme", "username=bridge"]
    done = init(path, "--yes", "--offline", "--psa", "kaseya_bms", *sets(pairs))
    assert done.exit_code == 1
    assert "https://api.bms.kaseya.com" in done.stderr
    assert not path.exists()


def test_comments_are_short() -> None:
    text = Answers(psa="datto", connection="datto").text()
    assert all(len(line) < 115 for line in text.splitlines())


def from_here(world: Practice, *args: str, stdin: str | None = None, folder: Path) -> Result:
    """Run `init` for the practice world with everything that has a flag given."""
    more = ["--name", "Acme", "--categorization", "apply", "--sentiment", "off", "--report-errors", "--wait", "20"]
    public = ["--public-url", "http://127.0.0.1:8099"]
    given = ["--psa", world.psa, *sets(practice_sets(world)), *local_ai(world), *more, *public]
    return init(folder / "bridge.yaml", *given, *args, stdin=stdin)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bridge.cli.firstrun.PAUSE", 0.05)
    return tmp_path


@pytest.fixture
def made(world: Practice, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Create a ticket while `init` waits for one."""
    tickets: list[str] = []

    def pause() -> None:
        if not tickets:
            tickets.append(world.tickets.create_ticket(JAM))

    monkeypatch.setattr("bridge.cli.firstrun.pause", pause)
    return tickets


def test_the_webhook_is_installed_where_the_api_allows_it(world: Practice, here: Path) -> None:
    done = from_here(world, "--yes", "--webhook", folder=here)
    assert done.exit_code == 0, done.output
    assert "is on: http://127.0.0.1:8099/webhooks/connectwise/connectwise" in done.stdout
    assert "webhooks install" not in done.stdout


def test_nothing_is_installed_and_no_ticket_awaited_unasked(world: Practice, here: Path) -> None:
    done = from_here(world, "--yes", folder=here)
    assert done.exit_code == 0, done.output
    assert "psa-bridge webhooks install connectwise" in done.stdout
    assert "Create a ticket" not in done.output


def test_where_input_ends_the_file_stays_and_nothing_is_done(world: Practice, here: Path) -> None:
    done = from_here(world, stdin="", folder=here)
    assert done.exit_code == 0, done.output
    assert "bridge.yaml is written." in done.stdout
    assert "psa-bridge webhooks install connectwise" in done.stdout


def test_a_first_ticket_is_shown_and_handled_when_a_person_agrees(
    world: Practice, here: Path, made: list[str]
) -> None:
    done = from_here(world, "--no-webhook", stdin="maybe\ny\ny\n", folder=here)
    assert done.exit_code == 0, done.output
    assert "Create a ticket in ConnectWise PSA now" in done.stdout
    assert "would set category" in done.stdout
    assert f"Run connectwise:{made[0]}" in done.stdout
    notes = world.tickets.look(made[0]).notes
    assert [note.internal for note in notes if "Paper jam" in note.text] == [True]


def test_a_first_ticket_is_only_looked_at_when_nobody_is_asked(
    world: Practice, here: Path, made: list[str]
) -> None:
    done = from_here(world, "--yes", "--first-ticket", folder=here)
    assert done.exit_code == 0, done.output
    assert "Nothing was changed." in done.stdout
    assert world.tickets.look(made[0]).writes == 0


def test_a_ticket_that_was_there_before_is_not_the_first(world: Practice, here: Path) -> None:
    before = world.tickets.create_ticket(JAM)
    done = from_here(world, "--yes", "--first-ticket", "--wait", "0.2", folder=here)
    assert done.exit_code == 1
    assert "no ticket came" in done.stderr
    assert world.tickets.look(before).writes == 0
    assert (here / "bridge.yaml").exists()


def test_an_interrupted_wait_leaves_the_file(world: Practice, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bridge.cli.firstrun.pause", interrupted)
    done = from_here(world, "--no-webhook", stdin="y\n", folder=here)
    assert done.exit_code == 0, done.output
    assert "stopped; nothing was changed" in done.stderr
    assert "psa-bridge serve" in done.stdout


def test_an_address_no_psa_can_reach_is_told_before_the_webhook_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bridge.yaml"
    monkeypatch.chdir(tmp_path)
    init(path, "--yes", "--offline", "--psa", "connectwise", *sets(PSA_ANSWERS["connectwise"]))
    monkeypatch.setenv("CONNECTWISE_PRIVATE_KEY", "x" * 20)
    flags = {"webhook": True, "first_ticket": False, "yes": True, "wait": 1.0}
    assert not FirstRun(Frame(str(path)), "connectwise", flags).webhook()
