"""What the documentation says is true of the code: examples, commands, settings, reasons, tables.

Must not know: how anything works; holds words against what they name.
"""

from __future__ import annotations

import importlib.util
import io
import json
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import BaseModel
from rich.console import Console

from lockgate.cli import table
from lockgate.cli.completion import command as completion
from lockgate.cli.main import COMMANDS, program
from lockgate.config.caching import CacheSettings, ServerCache, ToolCache
from lockgate.config.limits import GatewayLimits, ServerLimits
from lockgate.config.load import examine
from lockgate.config.model import Config
from lockgate.config.pins import LOCK_FILE
from lockgate.config.resist import BreakerSettings, RetrySettings
from lockgate.config.results import KeptResults
from lockgate.config.settings import GatewaySettings, LogSettings, SessionSettings
from lockgate.gateway.fixed import FIXED
from lockgate.gateway.pin_file import PENDING
from lockgate.gateway.status import ServerStatus

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def text(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(*kinds: str) -> Iterator[tuple[str, str]]:
    """Each fenced block of these kinds, with the page it stands on."""
    for path in PAGES:
        for _, kind, body in BLOCK.findall(path.read_text("utf-8")):
            if kind in kinds:
                yield path.name, textwrap.dedent(body)


def configurations() -> list[Any]:
    found = [pytest.param(body, id=page) for page, body in blocks("json")]
    for path in PAGES:
        codes = INLINE.findall(path.read_text("utf-8"))
        whole = [code for code in codes if re.match(r'\{"(mcpServers|servers)"', code)]
        found += [pytest.param(code, id=f"{path.name}-inline") for code in whole]
    return found


@pytest.mark.parametrize("body", configurations())
def test_examples_of_configurations_can_be_used(body: str, tmp_path: Path) -> None:
    value = {"mcpServers": {}, **json.loads(body)}
    if "servers" in value:
        del value["mcpServers"]
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps(value))
    path.chmod(0o600)
    environ = {"HOME": "/home/me", "PATH": "", "TICKETS_TOKEN": "t", "SEARCH_TOKEN": "s"}
    environ |= {"LOGIN_SECRET": "l", "SESSION_KEY": "A" * 43 + "="}
    errors = [one for one in examine(path, environ).findings if one.severity == "error"]
    assert errors == []


def said_commands() -> set[str]:
    """Every `lockgate …` that a page tells people to type."""
    lines = [line for _, body in blocks("sh") for line in body.splitlines()]
    lines += [code for path in PAGES for code in INLINE.findall(path.read_text("utf-8"))]
    found: set[str] = set()
    for line in lines:
        for part in re.split(r"[|)]|\$\(", line.partition(" # ")[0]):
            if re.match(r"lockgate [a-z]", part.strip(' "')):
                found.add(part.strip(' "'))
    return found


def test_every_command_that_is_named_exists() -> None:
    commands = said_commands()
    assert {one.split()[1] for one in commands} == set(COMMANDS)
    for line in commands:
        words = shlex.split(line)[1:]
        group: click.Command = program
        while words and isinstance(group, click.Group):
            context = click.Context(group)
            found = group.get_command(context, words.pop(0))
            assert found is not None, line
            group = found
        known = {name for option in group.params for name in (*option.opts, *option.secondary_opts)}
        # What stands behind -- belongs to another program.
        for word in words[: words.index("--") if "--" in words else None]:
            if word.startswith("--"):
                assert word.partition("=")[0] in known, line


def test_the_shells_named_are_those_there_is_completion_for() -> None:
    (shell,) = completion.params
    assert isinstance(shell.type, click.Choice)
    for name in shell.type.choices:
        assert f"lockgate completion {name}" in text("docs/start.md")


def test_every_make_target_and_module_that_is_named_exists() -> None:
    makefile = text("Makefile")
    made = {one.split()[2].replace("-", "_") for one in said_commands() if " new " in one}
    for _, body in blocks("sh"):
        for target in re.findall(r"^make ([a-z]+)", body, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
        for module in re.findall(r"python -m ([\w.]+)", body):
            assert module in made or importlib.util.find_spec(module) is not None, module


def test_every_setting_that_is_named_exists() -> None:
    settings = Config.model_json_schema()
    for path in PAGES:
        for code in INLINE.findall(path.read_text("utf-8")):
            if (
                not re.fullmatch(r"lockgate(\.[a-z_]+)+", code)
                or _module(code)
                or code in (LOCK_FILE, PENDING)
            ):
                continue
            here = settings["properties"]["lockgate"]
            for step in code.split(".")[1:]:
                if "$ref" in here:
                    here = settings["$defs"][here["$ref"].rpartition("/")[2]]
                assert step in here["properties"], f"{path.name}: {code}"
                here = here["properties"][step]


SECTIONS: dict[str, tuple[type[BaseModel], ...]] = {
    "limits": (ServerLimits, GatewayLimits),
    "retry": (RetrySettings,),
    "breaker": (BreakerSettings,),
    "cache": (ServerCache, ToolCache, CacheSettings),
    "session": (SessionSettings,),
    "log": (LogSettings,),
}


def test_every_setting_of_a_section_that_is_named_exists() -> None:
    found = 0
    for path in PAGES:
        for code in INLINE.findall(path.read_text("utf-8")):
            section, _, key = code.partition(".")
            if section in SECTIONS and re.fullmatch(r"[a-z_]+", key):
                found += 1
                assert any(key in one.model_fields for one in SECTIONS[section]), path.name + code
    assert found > 10


@pytest.mark.parametrize(
    "page",
    [
        "policies/breaker",
        "policies/bulkhead",
        "policies/cache",
        "policies/deadline",
        "policies/retry",
        "context/results",
    ],
)
def test_a_default_that_a_page_of_a_policy_names_is_that_of_the_setting(page: str) -> None:
    fields: dict[str, Any] = {}
    sections = (one for models in SECTIONS.values() for one in models)
    for model in (GatewaySettings, *sections, KeptResults):
        fields.update(model.model_fields)
    said = re.findall(r"`(\w+)` \((\d[\d.]*)(?: s)?[),]", text(f"docs/{page}.md"))
    for name, value in said:
        assert float(value) == fields[name].default, f"{name} ({value})"
    least = {"policies/breaker": 6, "policies/retry": 2, "context/results": 3}
    assert len(said) >= least.get(page, 0)


@pytest.mark.parametrize(("page", "section"), [("breaker", "breaker"), ("bulkhead", "limits")])
def test_the_example_of_a_policy_that_is_on_shows_its_defaults(page: str, section: str) -> None:
    (example,) = [json.loads(body) for name, body in blocks("json") if name == f"{page}.md"]
    (server,) = example["mcpServers"].values()
    model = SECTIONS[section][0]
    written = model.model_validate(server[section])
    assert written == model()


def test_what_needs_a_restart_is_what_a_reload_leaves_as_it_is() -> None:
    _, _, rest = text("docs/concepts/reload.md").partition("## What needs a restart")
    named, _, others = rest.partition("## ")[0].partition("and under `limits` all but")
    read_anew = {f"limits.{key}" for key in INLINE.findall(others)}
    assert set(INLINE.findall(named)) == {key for key in FIXED if not key.startswith("limits.")}
    every = {f"limits.{key}" for key in GatewayLimits.model_fields}
    assert every - read_anew == {key for key in FIXED if key.startswith("limits.")}


def _module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def test_every_reason_of_a_failure_that_is_listed_exists() -> None:
    rows = re.findall(r"^\| (`.*?) \|", text("docs/concepts/failures.md"), re.MULTILINE)
    listed = {reason for row in rows for reason in INLINE.findall(row)}
    source = "".join(path.read_text("utf-8") for path in ROOT.glob("src/lockgate/**/*.py"))
    assert len(listed) > 10
    assert {reason for reason in listed if f'"{reason}"' not in source} == set()


def test_the_dependencies_are_those_that_are_explained() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    names = {re.split(r"[\s<>=!;\[]", line)[0] for line in project["dependencies"]}
    rows = re.findall(r"^\| ([a-z.-]+) \|", text("docs/why/dependencies.md"), re.MULTILINE)
    assert set(rows) - {"package"} == names


def test_the_table_in_the_first_steps_is_what_people_see(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    shown = Console(file=out, width=90, color_system=None, highlight=False)
    monkeypatch.setattr(table, "console", lambda **_: shown)
    monkeypatch.setattr(table.sys.stderr, "isatty", lambda: True, raising=False)
    servers = [
        ServerStatus(
            name="time", transport="stdio", phase="ready", eras=("modern",), tools=2, seconds=0.84
        ),
        ServerStatus(
            name="tickets",
            transport="http",
            phase="backoff",
            error="http://127.0.0.1:8000 refuses connections",
            remedy="Start the server, or correct the port in `url`.",
            code="LG-702",
            retry_in=0.4,
        ),
    ]
    table.show_servers(servers)
    lines = [*out.getvalue().splitlines(), table.summary(servers)]
    seen = "\n".join(line.rstrip() for line in lines if line.strip())
    (sample,) = [body for page, body in blocks("text") if page == "start.md"]
    said = "\n".join(line.rstrip() for line in sample.splitlines()[1:])
    assert said == seen
