"""What bridge.yaml may not say: each mistake is named with its place and the way out, and no secret is echoed."""

from __future__ import annotations

import traceback

import pytest

from bridge.errors import ConfigError
from tests.settings.world import MINIMAL, ORG, File

PROVIDER_LIST = "openai, azure_openai, anthropic, openrouter, local"

WRONG = {
    "typo in a key": (
        ORG + "    ai:\n      modle: x\n",
        ['4:7: organizations.acme.ai.modle: unknown key; did you mean "model"?'],
    ),
    "typo at the root": (
        "organisations: {}\n",
        [
            "1:1: organizations: is missing",
            '1:1: organisations: unknown key; did you mean "organizations"?',
        ],
    ),
    "typo in a PSA's own key": (
        MINIMAL + "        slot: 2\n",
        ['9:9: organizations.acme.connections.main.slot: unknown key; did you mean "slots"?'],
    ),
    "typo deep in a PSA's block": (
        MINIMAL + "        webhook:\n          verfiy: auto\n",
        ['10:11: organizations.acme.connections.main.webhook.verfiy: unknown key; did you mean "verify"?'],
    ),
    "unknown key near nothing": (
        ORG + "    zzzz: 1\n",
        ["3:5: organizations.acme.zzzz: unknown key"],
    ),
    "addresses for feedback": (
        "server: {feedback_url: 'mailto:a@x.example,b@x.example'}\n" + MINIMAL,
        [
            "1:24: server.feedback_url: must be mailto: and one address, for example "
            "mailto:ideas@example.com?subject=Bridge"
        ],
    ),
    "feedback that runs a script": (
        "server: {feedback_url: 'javascript:alert(1)'}\n" + MINIMAL,
        ["1:24: server.feedback_url: is not an http(s) URL"],
    ),
    "feedback in the clear": (
        "server: {feedback_url: http://ideas.example}\n" + MINIMAL,
        ["1:24: server.feedback_url: must begin with https://"],
    ),
    "feedback with a hidden copy": (
        "server: {feedback_url: 'mailto:a@x.example?bcc=b@x.example'}\n" + MINIMAL,
        [
            "1:24: server.feedback_url: must be mailto: and one address, for example "
            "mailto:ideas@example.com?subject=Bridge"
        ],
    ),
    "unknown mode": (
        ORG + "    categorization:\n      mode: aply\n",
        [
            '4:13: organizations.acme.categorization.mode: "aply" is not one of off, shadow, suggest, apply; '
            'did you mean "apply"?'
        ],
    ),
    "on is no mode": (
        ORG + "    sentiment: {mode: on}\n",
        ['3:23: organizations.acme.sentiment.mode: "on" is not one of off, shadow, suggest, apply'],
    ),
    "unknown provider": (
        ORG + "    ai: {provider: antropic}\n",
        [
            f'3:20: organizations.acme.ai.provider: "antropic" is not one of {PROVIDER_LIST}; '
            'did you mean "anthropic"?'
        ],
    ),
    "unknown provider of a platform key": (
        "platform:\n  ai_keys:\n    open_ai: env:K\norganizations: {}\n",
        [f'3:5: platform.ai_keys.open_ai: "open_ai" is not one of {PROVIDER_LIST}; did you mean "openai"?'],
    ),
    "unknown PSA, of which nothing else is said": (
        MINIMAL.replace("dummy", "dumy"),
        [
            '5:14: organizations.acme.connections.main.psa: "dumy" is not one of dummy, connectwise; '
            'did you mean "dummy"?'
        ],
    ),
    "word of a PSA's list": (
        MINIMAL + "        webhook: {verify: of}\n",
        [
            '9:27: organizations.acme.connections.main.webhook.verify: "of" is not one of off, auto, require; '
            'did you mean "off"?'
        ],
    ),
    "wrong types, all in one reading": (
        "retention_days: soon\norganizations:\n  acme:\n    licensed: maybe\n    clients: {}\n    ai: 3\n"
        "    variables: {ticket_cat_max_tokens: 1.5}\n",
        [
            "1:17: retention_days: must be a whole number",
            "4:15: organizations.acme.licensed: must be true or false",
            "5:14: organizations.acme.clients: must be a list",
            "6:9: organizations.acme.ai: must be a mapping (lines of `key: value`)",
            "7:40: organizations.acme.variables.ticket_cat_max_tokens: must be a whole number",
        ],
    ),
    "missing keys": (
        ORG + "    connections:\n      main: {psa: dummy, url: https://x.example}\n",
        [
            "4:7: organizations.acme.connections.main.company: is missing",
            "4:7: organizations.acme.connections.main.password: is missing",
        ],
    ),
    "thresholds and scores": (
        ORG + "    sentiment:\n      thresholds: {sentiment: 6}\n      raise: {priority: {0: Low}, prority: {}}\n",
        [
            "4:31: organizations.acme.sentiment.thresholds.sentiment: must be a score from 1 to 5",
            "5:26: organizations.acme.sentiment.raise.priority.0: must be a score from 1 to 5",
            '5:35: organizations.acme.sentiment.raise.prority: unknown key; did you mean "priority"?',
        ],
    ),
    "ids": (
        'organizations:\n  "Acme:IT": {}\n  acme:\n    connections: {-x: {psa: connectwise}}\n',
        [
            '2:3: organizations["Acme:IT"]: is not a usable id: lower-case letters, digits and hyphens, '
            "at most 63, beginning with a letter or digit",
            "4:19: organizations.acme.connections.-x: is not a usable id: lower-case letters, digits and hyphens, "
            "at most 63, beginning with a letter or digit",
        ],
    ),
    "an id used by two organizations": (
        MINIMAL + "  beta:\n    connections:\n      main: {psa: connectwise}\n",
        [
            '11:7: organizations.beta.connections.main: organization "acme" has a connection "main" too; '
            "an id may be used once in the file"
        ],
    ),
    "address of a provider that has none": (
        ORG + "    ai: {provider: anthropic, base_url: https://proxy.example}\n",
        ["3:31: organizations.acme.ai.base_url: provider anthropic has a fixed address; remove base_url"],
    ),
    "address left out, in a fallback": (
        ORG + "    ai:\n      fallbacks:\n        - provider: local\n",
        ["5:11: organizations.acme.ai.fallbacks[0]: provider local needs base_url"],
    ),
    "azure without address and deployment": (
        ORG + "    ai:\n      provider: azure_openai\n",
        [
            "4:7: organizations.acme.ai: provider azure_openai needs base_url",
        ],
    ),
    "azure without deployment": (
        ORG + "    ai: {provider: azure_openai, base_url: https://x.openai.azure.com}\n",
        ["3:9: organizations.acme.ai: provider azure_openai needs model: the name of your deployment"],
    ),
    "plain http to a provider that is not local": (
        ORG + "    ai: {base_url: http://10.0.0.7/v1}\n",
        ["3:20: organizations.acme.ai.base_url: must begin with https://"],
    ),
    "metadata address": (
        ORG + "    ai: {provider: local, base_url: http://169.254.169.254/v1}\n",
        [
            "3:37: organizations.acme.ai.base_url: is not allowed: the address 169.254.169.254 is link-local, "
            "multicast or unspecified"
        ],
    ),
    "API version where there are none": (
        ORG + "    ai: {api_version: 2024-10-21}\n",
        ["3:10: organizations.acme.ai.api_version: provider openai has no API versions; remove api_version"],
    ),
    "plain http to a PSA": (
        MINIMAL.replace("https:", "http:"),
        ["6:14: organizations.acme.connections.main.url: must begin with https://"],
    ),
    "several processes on SQLite": (
        "server: {workers: 2}\norganizations: {}\n",
        ["1:19: server.workers: more than 1 needs PostgreSQL: SQLite serves one process only"],
    ),
    "a client without a match": (
        ORG + "    clients:\n      - ai: never\n      - match: {name: a, id: b}\n",
        [
            "4:9: organizations.acme.clients[0].match: is missing",
            "5:16: organizations.acme.clients[1].match: must hold either name or id",
        ],
    ),
    "frame ancestors that would add to a header": (
        MINIMAL + '        frame_ancestors: ["https://a.example; script-src *"]\n',
        [
            "9:27: organizations.acme.connections.main.frame_ancestors[0]: must be an origin such as "
            "https://psa.example.com, nothing after the host"
        ],
    ),
    "a second time": (
        "organizations: {}\nprompts: a\nprompts: b\ndatabase: a\ndatabase: b\n",
        [
            '3:1: the key "prompts" is here a second time; the first is in line 2',
            '5:1: the key "database" is here a second time; the first is in line 4',
        ],
    ),
    "not a mapping": ("- a\n", ["1:1: must be a mapping (lines of `key: value`)"]),
    "empty file": ("", ["1:1: organizations: is missing"]),
    "tab": (
        "organizations:\n\tacme: {}\n",
        ["2:1: is not valid YAML: found character '\\t' that cannot start any token"],
    ),
    "second document": ("a: 1\n---\nb: 2\n", ["2:1: holds a second document (`---`); one file holds one"]),
    "tag": ("prompts: !!python/name:os.system x\n", [
        "1:10: has a tag; tags are not used here, put text that begins with ! in quotes"
    ]),
    "merge key": ("a: &a {b: 1}\nc: {<<: *a}\n", ["2:5: merge keys (<<) are not used here; write the keys out"]),
    "control character": ("a: 1\nb: \x07\n", ["2:4: holds a control character"]),
    "impossible escape": (
        'a: "\\UFFFFFFFF"\n',
        ["1:1: is not valid YAML: after this, an escape in quotes names no character"],
    ),
    "half a character": ('a: "\\ud800"\n', ["1:4: holds half of a character (a lone surrogate)"]),
    "deep": ("[" * 500, ["1:34: is nested deeper than 32 levels"]),
    "itself": ("a: &a [*a]\n", [
        "1:8: names an anchor that is not there; put text that begins with * in quotes"
    ]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_an_error_names_its_place_and_the_way_out(file: File, text: str, expected: list[str]) -> None:
    assert file.errors(text) == expected


LITERALS = [
    ORG + "    ai: {api_key: sk-hunter2hunter2}\n",
    ORG + "    ai: {api_key: [sk-hunter2hunter2]}\n",
    MINIMAL.replace("env:PASSWORD", "'hunter2hunter2'"),
    MINIMAL.replace("env:PASSWORD", "*hunter2hunter2"),
    MINIMAL.replace("env:PASSWORD", "!hunter2hunter2"),
    MINIMAL.replace("env:PASSWORD", "&hunter2hunter2"),
    MINIMAL.replace("env:PASSWORD", "%hunter2hunter2"),
    MINIMAL.replace("env:PASSWORD", "'hunter2hunter2"),
    MINIMAL.replace("env:PASSWORD", '"hunter2hunter2\\q"'),
    MINIMAL.replace("env:PASSWORD", "hunter2hunter2: x"),
    MINIMAL.replace("https://psa", "https://me:hunter2hunter2@psa"),
    "platform: {ai_keys: {openai: hunter2hunter2}}\norganizations: {}\n",
    "database: postgresql+psycopg://me:hunter2hunter2@db/x\norganizations: {}\n",
    "database: postgresql://db/x?password=hunter2hunter2\norganizations: {}\n",
    "database: env:BAD\norganizations: {}\n",
]


@pytest.mark.parametrize("text", LITERALS)
def test_a_literal_secret_is_refused_and_not_echoed(file: File, text: str) -> None:
    found = file.errors(text, environ={"BAD": "mysql://me:hunter2hunter2@db"})
    assert found
    assert "hunter2" not in "\n".join(found)


def test_a_traceback_does_not_quote_the_file(file: File) -> None:
    with pytest.raises(ConfigError) as caught:
        file.load(MINIMAL.replace("env:PASSWORD", "'hunter2hunter2"))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value, chain=True)[-1:])
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_bomb_of_aliases_is_refused(file: File) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (found,) = file.errors("\n".join(lines))
    assert "too large once its aliases are followed" in found


def test_a_huge_file_is_refused(file: File) -> None:
    assert file.errors("#" * 600_000) == [" is larger than 512 KiB"]
