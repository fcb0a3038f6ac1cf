"""Every rule of ruff that is asked for becomes a finding where it concerns a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import LockgateError
from lockgate.lint import ruffed
from lockgate.lint.rule import OPENING
from lockgate.lint.rules import BY_RUFF
from lockgate.lint.run import lint

BODIES = {
    "ASYNC210": "import requests\n    requests.get('https://a.example', timeout=1)",
    "ASYNC212": "import httpx\n    c = httpx.Client()\n    c.get('https://a.example')",
    "ASYNC220": "import subprocess\n    subprocess.Popen(['a'])",
    "ASYNC221": "import subprocess\n    subprocess.run(['a'])",
    "ASYNC222": "import os\n    os.wait()",
    "ASYNC230": "open('a')",
    "ASYNC240": "from pathlib import Path\n    Path('a').read_text()",
    "ASYNC250": "input()",
    "ASYNC251": "import time\n    time.sleep(1)",
    "BLE001": "try:\n        int('a')\n    except Exception:\n        x = 1",
    "E722": "try:\n        int('a')\n    except:\n        x = 1",
    "RUF006": "import asyncio\n    asyncio.create_task(t('a'))",
    "S101": "assert word",
    "S102": "exec(compiled)",
    "S105": "password = 'Zx81kPq0vLm3TtR7uQwE'",
    "S106": "connect(password='Zx81kPq0vLm3TtR7uQwE')",
    "S107": "def f(password='Zx81kPq0vLm3TtR7uQwE'): ...",
    "S110": "try:\n        int('a')\n    except Exception:\n        pass",
    "S112": "for a in 'b':\n        try: int(a)\n        except Exception: continue",
    "S113": "import requests\n    requests.get('https://a.example')",
    "S301": "import pickle\n    pickle.loads(kept)",
    "S302": "import marshal\n    marshal.loads(kept)",
    "S307": "eval(compiled)",
    "S323": "import ssl\n    ssl._create_unverified_context()",
    "S501": "import httpx\n    httpx.AsyncClient(verify=False)",
    "S506": "import yaml\n    yaml.load(kept, Loader=yaml.Loader)",
    "S602": "import subprocess\n    subprocess.run(command, shell=True)",
    "S604": "run(command, shell=True)",
    "S605": "import os\n    os.system(command)",
    "S609": "import subprocess\n    subprocess.Popen(f'chmod {mode} *', shell=True)",
    "T201": "print(1)",
    "T203": "import pprint\n    pprint.pprint(1)",
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The rules found in one tool for each rule of ruff, all looked at in one run."""
    folder = tmp_path_factory.mktemp("ruff")
    tool = (
        "\n\n@mcp.tool()\nasync def t(word: str) -> str:\n    '''Do.'''\n    {}\n    return 'a'\n"
    )
    for code, body in BODIES.items():
        (folder / f"{code}.py").write_text(OPENING + tool.format(body))
    report = lint([folder])
    return {file.path.stem: {one.rule for one in file.problems} for file in report.files}


def test_there_is_one_for_each() -> None:
    assert set(BODIES) == set(BY_RUFF)


@pytest.mark.parametrize("code", BODIES)
def test_what_ruff_finds_becomes_a_finding(code: str, found: dict[str, set[str]]) -> None:
    assert BY_RUFF[code].id in found[code]


HARMLESS = {
    "a look at a path": "async def t(a: str) -> str:\n    {}\n    return str(Path('a').exists())",
    "a fixed command": (
        "def t(word: str) -> str:\n    {}\n    subprocess.run('ls', shell=True)\n    return word"
    ),
    "no password": "def t(a: str) -> str:\n    {}\n    password = 'your-own'\n    return password",
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_harms_no_server_is_left_alone(case: str, tmp_path: Path) -> None:
    path = tmp_path / "server.py"
    head = "import subprocess\nfrom pathlib import Path\n"
    tool = HARMLESS[case].format("'''Do.'''")
    path.write_text(f"{head}{OPENING}\n\n@mcp.tool()\n{tool}\n")
    (file,) = lint([path]).files
    assert [one.rule for one in file.problems if one.severity != "note"] == []


def test_a_ruff_that_is_too_old_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "ruff"
    old.write_text("#!/bin/sh\necho 'error: unknown rule selector ASYNC240' >&2\nexit 2\n")
    old.chmod(0o755)
    monkeypatch.setattr(ruffed, "ruff", lambda: str(old))
    path = tmp_path / "server.py"
    path.write_text(OPENING)
    with pytest.raises(LockgateError) as caught:
        lint([path])
    assert "ASYNC240" in caught.value.message
    assert "0.17" in (caught.value.remedy or "")
