"""The command line as such: help, errors, exit status, output for people and for pipes."""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from sqlalchemy.exc import ProgrammingError

from bridge.cli import COMMANDS, main
from bridge.cli.frame import explained
from bridge.cli.log import JsonLine, OneLine, logging_to_stderr
from bridge.cli.output import safe, table, when
from bridge.cli.reference import markdown
from bridge.redaction import Redactor

ROOT = Path(__file__).parents[1]


def run(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, args)
    return result.exit_code, result.stdout, result.stderr


def test_the_page_of_commands_is_what_help_says() -> None:
    assert (ROOT / "docs/commands.md").read_text("utf-8") == markdown(), (
        "generate it anew: python -m bridge.cli.reference > docs/commands.md"
    )


def test_help_loads_neither_the_core_nor_the_commands() -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from bridge.cli import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "print([name for name in sys.modules if name in ('bridge.app', 'dbos', 'sqlalchemy', 'flask', 'rich')"
        " or name == 'bridge.cli.serve'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says_and_explains_itself(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(importlib.import_module(f"bridge.cli.{module}"), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help


def test_bridge_cli_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "bridge.cli", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "psa-bridge 0.1.0\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["triag"], 'there is no command "triag"; did you mean "triage"?'),
        (["triage", "cw"], "missing argument 'TICKET'"),
        (["triage", "cw", "1", "--no-ask"], "--no-ask goes with --show-prompt"),
        (["triage", "cw", "1", "--show-prompt", "--no-ask", "--apply"], "exclude each other"),
        (["runs", "retry"], "name runs, or use --failed"),
        (["users", "add", "x", "--role", "boss"], "'boss' is not one of"),
        (["prompts", "check", "nope"], "'nope' is not one of"),
    ],
)
def test_a_wrong_use_is_one_line_and_exit_status_2(args: list[str], said: str) -> None:
    code, out, err = run(*args)
    assert code == 2
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_without_a_configuration_the_way_to_one_is_shown(tmp_path: Path) -> None:
    code, _out, err = run("--config", str(tmp_path / "none.yaml"), "runs", "list")
    assert code == 2
    assert "psa-bridge init" in err


def test_the_environment_names_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_CONFIG", str(tmp_path / "elsewhere.yaml"))
    code, _out, err = run("runs", "list")
    assert code == 2
    assert "elsewhere.yaml" in err


def test_every_mistake_of_the_file_is_a_line_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text("organizations:\n  acme:\n    lisenced: true\n    ai: {enabled: maybe}\n", encoding="utf-8")
    code, out, err = run("--config", str(path), "check", "--offline")
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{path}:3:5: ")
    assert "licensed" in lines[0]
    assert lines[1].startswith(f"{path}:4:")


def test_an_unusable_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("this is no database, and long enough to be looked at as one" * 20)
    (tmp_path / "folder").mkdir()
    path = tmp_path / "bridge.yaml"
    path.write_text(
        f"database: sqlite:///{(tmp_path / 'folder').as_posix()}\norganizations: {{}}\n", encoding="utf-8"
    )
    code, _out, err = run("--config", str(path), "runs", "list")
    assert code == 1
    assert err == "the database cannot be used: unable to open database file\n"


def test_a_database_without_tables_says_what_to_start() -> None:
    error = ProgrammingError("INSERT …", {}, Exception('relation "dbos.workflow_status" does not exist'))
    lines, code = explained(error)
    assert code == 1
    assert "psa-bridge serve" in lines[0]
    assert explained(ValueError("a fault of ours")) == ([], 1)


def test_a_pipe_gets_plain_aligned_columns(capsys: pytest.CaptureFixture[str]) -> None:
    table(("a", "long column"), [("x" * 200, "y"), ("z", "two\nlines")], empty="none")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "x" * 200 + "  y"
    assert lines[2].split() == ["z", "two", "lines"]


def test_an_empty_listing_says_so_beside_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    table(("a",), [], empty="nothing here")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "nothing here\n")


def test_what_others_wrote_cannot_drive_the_terminal() -> None:
    assert safe("a\x1b[31mred\x9b\x07\r\nb\tc") == "a\ufffd[31mred\ufffd\ufffd\nb c"


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_is_respected(no_color: str, coloured: bool, tmp_path: Path) -> None:
    code = (
        "import sys\nsys.stdout.isatty = lambda: True\n"
        "from bridge.cli.output import table\ntable(('state',), [('failed',)], empty='')"
    )
    env = {"PATH": "", "TERM": "xterm", "FORCE_COLOR": "1", "NO_COLOR": no_color}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=env, check=True
    )
    assert "failed" in done.stdout
    assert ("\x1b[31m" in done.stdout) is coloured


def test_instants_are_utc() -> None:
    assert when(0.0) == "1970-01-01 00:00:00Z"
    assert when(None) == ""


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("bridge.x", logging.ERROR, __file__, 1, message, args, info)


def test_an_event_is_one_line_whatever_is_in_it() -> None:
    line = OneLine().format(record("bad %s", "a\n2026-01-01T00:00:00Z INFO forged", error=ValueError("no\nno")))
    assert "\n" not in line
    assert "a\\n2026" in line
    assert "ValueError" in line


def test_json_events_have_time_level_logger_and_message() -> None:
    import json

    event = json.loads(JsonLine().format(record("hello %s", "you", error=ValueError("x"))))
    assert event["message"] == "hello you"
    assert (event["level"], event["logger"]) == ("error", "bridge.x")
    assert event["time"].endswith("Z")
    assert "ValueError" in event["traceback"]


def test_secrets_stay_out_of_the_log_of_everything(capsys: pytest.CaptureFixture[str]) -> None:
    redactor = Redactor()
    redactor.add("s3cret-value")
    with logging_to_stderr(as_json=False) as handler:
        handler.addFilter(redactor)
        logging.getLogger("bridge.somewhere").info("it is %s", "s3cret-value")
        logging.getLogger("dbos").warning("it is s3cret-value")
        logging.getLogger("dbos").info("chatter")
    told = capsys.readouterr().err
    assert told.count("[secret]") == 2
    assert "s3cret-value" not in told
    assert "chatter" not in told
