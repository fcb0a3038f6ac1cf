"""The files of the page on deployment: they can be read, agree with each other and the defaults."""

from __future__ import annotations

import configparser
import io
import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from lockgate.config.settings import GatewaySettings
from tests.guide.pages import blocks, every

DEFAULTS = GatewaySettings()


def documents() -> list[dict[str, Any]]:
    (block,) = blocks("deployment", "yaml")
    return list(YAML(typ="safe").load_all(block.text))


def test_the_container_runs_as_nobody_special_and_answers_where_it_is_asked() -> None:
    (block,) = blocks("deployment", "dockerfile")
    joined = block.text.replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    known = {"FROM", "RUN", "COPY", "USER", "WORKDIR", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {line[0] for line in lines} <= known
    steps = dict(lines)  # the last of each
    assert joined.count("FROM ") == 2
    assert steps["USER"] not in ("root", "0")
    assert str(DEFAULTS.port) in steps["EXPOSE"].split()
    assert f"127.0.0.1:{DEFAULTS.port}/health" in steps["HEALTHCHECK"]
    for step in ("ENTRYPOINT", "CMD"):
        assert steps[step].startswith("[")
    probe = re.search(r'"-c", "([^"]+)"', steps["HEALTHCHECK"])
    assert probe is not None
    compile(probe[1], "<health>", "exec")


def test_the_manifests_agree_with_the_container_and_the_configuration() -> None:
    deployment, service = documents()
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels == service["spec"]["selector"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports == {"mcp": DEFAULTS.port, "admin": 4041}
    assert service["spec"]["ports"][0]["targetPort"] in ports
    for probe, path in (("readinessProbe", "/ready"), ("livenessProbe", "/health")):
        assert container[probe]["httpGet"] == {"path": path, "port": "mcp"}
    assert pod["terminationGracePeriodSeconds"] > 30  # `shutdown_grace` of the configuration
    volumes = {one["name"] for one in pod["volumes"]}
    assert {one["name"] for one in container["volumeMounts"]} == volumes


def test_proxies_pass_streams_on() -> None:
    (nginx,) = blocks("deployment", "nginx")
    assert nginx.text.count("{") == nginx.text.count("}") == 2
    for line in nginx.text.splitlines():
        assert not line.strip() or line.rstrip()[-1] in "{};", line
    settings = dict(re.findall(r"^\s+(\w+)\s+([^;{]+);", nginx.text, re.MULTILINE))
    assert settings["proxy_buffering"] == "off"
    assert settings["proxy_read_timeout"] == "1h"
    assert settings["proxy_pass"].endswith(f":{DEFAULTS.port}")
    assert settings["client_max_body_size"] == f"{DEFAULTS.limits.body_bytes >> 20}m"
    (caddy,) = blocks("deployment", "caddy")
    assert caddy.text.count("{") == caddy.text.count("}")
    assert "flush_interval -1" in caddy.text
    assert f"127.0.0.1:{DEFAULTS.port}" in caddy.text


def test_the_service_is_one_systemd_can_read() -> None:
    (block,) = blocks("deployment", "ini")
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] - keys are written so
    unit.read_file(io.StringIO(block.text))
    assert set(unit) == {"DEFAULT", "Unit", "Service", "Install"}
    assert unit["Service"]["ExecStart"].split()[1] == "up"
    assert unit["Service"]["User"] != "root"
    assert int(unit["Service"]["TimeoutStopSec"]) > 30


@pytest.mark.parametrize("kind", ["dockerfile", "yaml", "nginx", "caddy", "ini"])
def test_such_a_file_stands_on_the_page_on_deployment_only(kind: str) -> None:
    assert {one.page for one in every(kind)} == {"deployment"}
