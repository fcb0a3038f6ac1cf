"""What is in a new project, whatever kind it is."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

pytest.importorskip("copier")

from lockgate.config.load import examine
from lockgate.errors import LockgateError
from lockgate.scaffold import engine, kept
from lockgate.scaffold.project import create
from tests.scaffold.made import NAME, PACKAGE, project

SERVERS = [template for template in engine.TEMPLATES if template != "gateway"]
EVERYWHERE = {
    ".copier-answers.yml",
    ".dockerignore",
    ".gitattributes",
    ".github/workflows/ci.yml",
    ".gitignore",
    "Dockerfile",
    "README.md",
    "compose.yaml",
    "deploy/Caddyfile",
    "deploy/kubernetes/deployment.yaml",
    "deploy/kubernetes/ingress.yaml",
    "deploy/kubernetes/kustomization.yaml",
    "deploy/kubernetes/service.yaml",
    "deploy/nginx.conf",
    "requirements-dev.txt",
    "requirements.txt",
}
EVERY_SERVER = {
    "pyproject.toml",
    f"{PACKAGE}/__init__.py",
    f"{PACKAGE}/__main__.py",
    f"{PACKAGE}/app.py",
    f"{PACKAGE}/server.py",
    f"{PACKAGE}/settings.py",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/test_http.py",
    "tests/test_memory.py",
    "tests/test_stdio.py",
}
ITS_OWN = {
    "basic": {f"{PACKAGE}/notes.py"},
    "oauth": {
        f"{PACKAGE}/auth.py",
        f"{PACKAGE}/notes.py",
        "identity_provider/__init__.py",
        "identity_provider/__main__.py",
        "identity_provider/provider.py",
        "tests/test_oauth.py",
    },
    "scraper": {
        f"{PACKAGE}/fetch.py",
        f"{PACKAGE}/pages.py",
        "tests/site.py",
        "tests/test_fetch.py",
    },
    "rest": {
        f"{PACKAGE}/api.py",
        f"{PACKAGE}/notes.py",
        f"{PACKAGE}/operations.py",
        "tests/test_rest.py",
    },
    "gateway": {
        "lockgate.lock",
        "lockgate.yaml",
        "servers/clock.py",
        "tests/__init__.py",
        "tests/test_gateway.py",
    },
}

every = pytest.mark.parametrize("template", engine.TEMPLATES)


def yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text("utf-8"))


@every
def test_its_files_are_those_of_its_kind(template: str) -> None:
    servers = EVERY_SERVER if template in SERVERS else set[str]()
    assert set(kept.contents(project(template))) == EVERYWHERE | servers | ITS_OWN[template]


@every
def test_nothing_of_the_template_is_left_in_it(template: str) -> None:
    for name, content in kept.contents(project(template)).items():
        text = content.decode()
        for mark in ("{%", "{#", "{{ "):
            assert mark not in text.replace("${{ ", ""), name
        assert str(Path(__file__).parents[2]) not in text, name
        assert "\n\n\n\n" not in text, name
        assert not text.startswith("\n"), name
        assert text == "" or text.endswith("\n"), name
        assert not text.endswith("\n\n"), name


@every
def test_its_code_is_as_its_own_rules_want_it(template: str) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    for check in (
        ["check", "--no-cache", "."],
        ["format", "--no-cache", "--line-length=100", "--diff", "."],
    ):
        done = subprocess.run(
            [*ruff, *check], cwd=project(template), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@every
def test_every_module_and_class_says_what_it_is(template: str) -> None:
    for path in project(template).rglob("*.py"):
        text = path.read_text("utf-8")
        assert not text or ast.get_docstring(ast.parse(text)), path


@pytest.mark.parametrize("template", SERVERS)
def test_both_lists_of_requirements_are_the_same(template: str) -> None:
    folder = project(template)
    told = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    for name, listed in (
        ("requirements.txt", told["project"]["dependencies"]),
        ("requirements-dev.txt", told["dependency-groups"]["dev"]),
    ):
        lines = (folder / name).read_text("utf-8").splitlines()
        assert [line for line in lines if line[0] not in "#-"] == listed


@every
def test_its_container_is_built_in_stages_and_has_no_root(template: str) -> None:
    text = (project(template) / "Dockerfile").read_text("utf-8")
    stages = [line.split()[-1] for line in text.splitlines() if line.startswith("FROM ")]
    assert stages[0] == "build"
    assert stages[-1] == "production"
    assert "\nUSER 10001:10001\n" in text
    assert "\nHEALTHCHECK " in text
    service = yaml(project(template) / "compose.yaml")["services"][NAME]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


@every
def test_its_manifests_agree_with_each_other(template: str) -> None:
    folder = project(template) / "deploy" / "kubernetes"
    kinds = {path.stem: yaml(path) for path in folder.glob("*.yaml")}
    assert {f"{name}.yaml" for name in kinds if name != "kustomization"} == set(
        kinds["kustomization"]["resources"]
    )
    pod = kinds["deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert kinds["service"]["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod["spec"]["enableServiceLinks"] is False, "they set NAME_PORT to a URL"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    (port,) = container["ports"]
    assert kinds["service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]
    backend = kinds["ingress"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == kinds["service"]["metadata"]["name"]
    annotations = kinds["ingress"]["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    text = (project(template) / "deploy" / "nginx.conf").read_text("utf-8")
    assert "proxy_buffering off;" in text
    assert "flush_interval -1" in (project(template) / "deploy" / "Caddyfile").read_text("utf-8")


@every
def test_its_ci_runs_its_tests(template: str) -> None:
    jobs = yaml(project(template) / ".github" / "workflows" / "ci.yml")["jobs"]
    steps = [step.get("run") for job in jobs.values() for step in job["steps"]]
    assert {"pip install -r requirements-dev.txt", "ruff check .", "python -m pytest"} <= set(steps)


def test_the_gateways_configuration_can_be_used(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": []}')
    keys.chmod(0o600)
    environ = {"API_KEYS_FILE": str(keys), "PYTHON": sys.executable, "PATH": ""}
    found = examine(project("gateway") / "lockgate.yaml", environ).findings
    assert [str(one) for one in found if one.severity == "error"] == []


@pytest.mark.parametrize("template", ["oauth", "gateway"])
def test_the_same_answers_give_the_same_bytes(template: str, tmp_path: Path) -> None:
    again = tmp_path / NAME
    create(again, {"name": NAME, "template": template}, ask=False)
    first = project(template)
    assert kept.contents(again) == kept.contents(first)
    assert (again / kept.PLACE).read_bytes() == (first / kept.PLACE).read_bytes()
    assert kept.kept(again) == kept.contents(again)


def test_nothing_of_the_template_is_kept_from_the_wheel() -> None:
    """What git ignores is left out of a wheel. `make new-test` makes projects from one."""
    with engine.template() as folder:
        names = "\n".join(str(path) for path in folder.rglob("*") if path.is_file())
    done = subprocess.run(
        ["git", "check-ignore", "--stdin"],
        cwd=Path(__file__).parent,
        input=names,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "", "these would not be in it"


def test_what_was_answered_is_everywhere(tmp_path: Path) -> None:
    folder = tmp_path / "tide-tables"
    answers = {"name": "tide-tables", "description": "When the sea comes.", "port": 8123}
    create(folder, answers, ask=False)
    assert (folder / "tide_tables" / "server.py").exists()
    for name, said in (
        ("README.md", "# Tide Tables\n\nWhen the sea comes."),
        ("tide_tables/settings.py", "port: int = 8123"),
        ("compose.yaml", '"127.0.0.1:8123:8123"'),
        ("Dockerfile", "EXPOSE 8123"),
        ("tide_tables/settings.py", 'PREFIX = "TIDE_TABLES_"'),
    ):
        assert said in (folder / name).read_text("utf-8")


@pytest.mark.parametrize(
    "answers", [{"description": 'a "b"'}, {"description": "a\nb"}, {"port": 0}, {"port": 70000}]
)
def test_answers_that_would_break_files_are_refused(
    answers: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(LockgateError, match="cannot be made so"):
        create(tmp_path / NAME, {"name": NAME, **answers}, ask=False)
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("there", ["file", "folder", "link"])
def test_nothing_is_overwritten(there: str, tmp_path: Path) -> None:
    folder = tmp_path / NAME
    if there == "file":
        folder.write_text("mine")
    elif there == "link":
        folder.symlink_to(tmp_path / "nowhere")
    else:
        folder.mkdir()
        (folder / "README.md").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LockgateError, match="left as it is"):
        create(folder, {"name": NAME}, ask=False)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    assert "README.md" in create(tmp_path / NAME, {"name": NAME}, ask=False)


def test_a_person_without_copier_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "copier", None)
    with pytest.raises(LockgateError, match="Copier") as caught:
        create(tmp_path / NAME, {"name": NAME}, ask=False)
    assert caught.value.remedy == "pip install 'lockgate[new]'"


def test_a_server_passes_its_tests_in_memory() -> None:
    """All of them, of every kind and in a fresh environment: `make new-test`."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_memory.py"],
        cwd=project("basic"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
