"""A configuration or template that is damaged while the service runs: the old one works on, and it is told."""

from __future__ import annotations

import json

import pytest

from bridge.prompts import shipped as shipped_folder
from bridge.simulator.drama import until
from bridge.simulator.launch import PracticeWorld
from tests.faults.harness import Burst
from tests.live import internal, put
from tests.served import Served

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.mark.timeout(120)
def test_a_damaged_configuration_leaves_the_old_one_working_and_is_told(
    world: PracticeWorld, served: Served, burst: Burst
) -> None:
    good = served.config.read_text()

    def told(words: str) -> None:
        def says() -> bool:
            ready, detail = served.ready()
            return ready and words in " ".join(detail["warnings"])

        until(says, 15)
        burst.file(1, psas=["halopsa"])

    lost = json.loads(good)
    lost["organizations"]["northwind"]["connections"]["halopsa"]["client_secret"] = "env:NOT_THERE"
    for text, words in (
        (good[: len(good) // 2], "bridge.yaml:"),
        (good.replace('  "database"', '\t"database"', 1).replace('"sqlite', 'sqlite: "', 1), "bridge.yaml:"),
        (json.dumps(lost), "NOT_THERE"),
    ):
        served.config.write_text(text)
        told(words)
    served.config.unlink()
    told("cannot be read")
    served.config.write_text(good)
    until(lambda: not served.ready()[1]["warnings"], 15)

    burst.judge()


@pytest.mark.timeout(120)
def test_a_broken_template_stops_no_ticket_and_one_that_does_not_render_is_told_in_its_note(
    world: PracticeWorld, served: Served, burst: Burst
) -> None:
    template = served.config.parent / "prompts" / "categorize.md.j2"
    template.parent.mkdir()
    shipped = (shipped_folder("prompts") / template.name).read_text()
    user = "{% block user %}"
    assert shipped.count(user) == 1

    def handled() -> tuple[str, str]:
        """Return the question and the note of one more ticket."""
        burst.file(1, psas=["halopsa"])
        burst.wait_until_done()
        note = "".join(internal(world.psas["halopsa"].look(burst.filed[-1][1])))
        return json.dumps(world.ai.questions()[-1]), note

    put(template, shipped.replace(user, user + "Ours."))
    put(served.config, json.dumps({**json.loads(served.config.read_text()), "prompts": str(template.parent)}))
    until(lambda: "Ours." in handled()[0], 15)

    put(template, shipped.replace(user, user + "{% if key %}"))
    until(lambda: f"{template}:" in " ".join(served.ready()[1]["warnings"]), 15)
    question, note = handled()
    assert ("Ours." in question, "did not work" in note) == (True, False), note

    put(template, shipped.replace(user, user + "{{ [1][7].nothing }}"))
    line = shipped[: shipped.index(user)].count("\n") + 1
    assert f"{template.name}:{line}" in handled()[1]

    put(template, shipped)
    assert "did not work" not in handled()[1]
