"""What can be enforced on which host, what is said where it cannot, and what a server sees."""

from __future__ import annotations

import marshal
import os
from pathlib import Path
from typing import Any

import pytest

from lockgate.upstreams.sandbox import numbers as n
from lockgate.upstreams.sandbox.host import Host, Way
from lockgate.upstreams.sandbox.numbers import MACHINES
from lockgate.upstreams.sandbox.plan import Plan, Unenforceable, achieved, lacking, plan
from lockgate.upstreams.sandbox.spec import Destination, Level, SandboxSpec
from lockgate.upstreams.sandbox.view import KEEP, LOOK, RUN, installations, of_arguments, settle

USER, DIRECT, NONE = Way("user"), Way("direct"), Way("", "Operation not permitted")


def host(landlock: int = 7, way: Way = USER, **more: Any) -> Host:
    fields: dict[str, Any] = {
        "system": "Linux 6.12",
        "machine": MACHINES["x86_64"],
        "seccomp": True,
        "missing": "" if landlock else "it is switched off",
        **more,
    }
    return Host(landlock=landlock, known=way, **fields)


def spec(level: Level = "strict", **more: Any) -> SandboxSpec:
    return SandboxSpec(level=level, home="/home/u/own", **more)


def planned(of: SandboxSpec, on: Host, **more: Any) -> Plan:
    told: dict[str, Any] = {
        "command": "/usr/bin/true",
        "args": (),
        "env": {"PATH": "/usr/bin", "HOME": "/home/u"},
        "declared": {},
        "cwd": None,
        **more,
    }
    return plan(of, on, **told)


@pytest.mark.parametrize(
    ("on", "of", "says"),
    [
        (Host(system="Darwin 24.1"), spec("standard"), "it needs Linux"),
        (Host(system="Windows 11"), spec("standard"), "it needs Linux"),
        (host(machine=None), spec("standard"), "kind of machine"),
        (host(seccomp=False), spec("standard"), "seccomp"),
        (host(0), spec("standard"), "there is no Landlock: it is switched off"),
        (host(1), spec("standard"), "revision 2 of Landlock (Linux 5.19)"),
        (host(5), spec(), "revision 6 of Landlock (Linux 6.12)"),
        (host(way=NONE), spec(network="loopback"), "a network of its own: Operation not"),
        (host(way=NONE), spec(network=(Destination("x", 1),)), "a network of its own"),
        (host(way=NONE), spec(processes=5), "counted"),
        (host(way=DIRECT, root=True), spec(processes=5), "root's processes"),
    ],
)
def test_what_is_missing_is_said_and_the_server_refused(
    on: Host, of: SandboxSpec, says: str
) -> None:
    found = lacking(of, on)
    assert [one for one in found if says in one.what], found
    assert all(one.remedy for one in found)
    with pytest.raises(Unenforceable):
        planned(of, on)
    assert not achieved(of, on).whole


@pytest.mark.parametrize(
    ("on", "of"),
    [
        (host(2), spec("standard")),
        (host(6), spec()),
        (host(6, NONE), spec(network="none")),
        (host(6), spec(network="loopback", processes=5)),
        (host(6, DIRECT, root=True, groups="/x"), spec(network="loopback", processes=5)),
    ],
)
def test_what_is_there_is_enough(on: Host, of: SandboxSpec) -> None:
    assert not lacking(of, on)
    assert achieved(of, on).whole


def test_less_is_enforced_where_that_is_allowed() -> None:
    made = planned(spec(unenforced="allow"), host(3))
    assert made.handled == (n.files_handled(3),)
    assert made.filter
    assert planned(spec(unenforced="allow"), host(0)).handled == ()
    assert planned(spec(unenforced="allow"), host(0)).filter
    assert not planned(spec(unenforced="allow"), host(seccomp=False)).filter
    said = achieved(spec(unenforced="allow"), host(3))
    assert "signals" not in said.holds
    assert said.lacks


def test_rights_are_those_this_revision_knows() -> None:
    for abi in range(2, 12):
        made = planned(spec("standard"), host(abi))
        known = n.files_handled(abi)
        assert made.handled[0] == known
        assert all(not allowed & ~known for _, allowed in made.rules)
        assert len(made.handled) == (1 if abi < 4 else 2 if abi < 6 else 3)


def test_the_environment_leads_to_folders_of_its_own() -> None:
    made = planned(spec(), host(), env={"PATH": "/bin", "HOME": "/home/u", "TMPDIR": "/t"})
    assert made.env == {"PATH": "/bin", "HOME": "/home/u/own", "TMPDIR": "/home/u/own/tmp"}
    made = planned(spec(), host(), env={"HOME": "/srv"}, declared={"HOME": "/srv"})
    assert made.env["HOME"] == "/srv"


def rights(made: Plan, path: str) -> int:
    found = 0
    for one, allowed in made.rules:
        found |= allowed if one == path else 0
    return found


def test_what_a_server_sees() -> None:
    made = planned(spec(read=("/data/in",), write=("/data/out",)), host(), cwd="/srv/work/here")
    assert rights(made, "/data/in") == RUN
    assert rights(made, "/data/out") == KEEP
    assert rights(made, "/srv/work/here") == KEEP
    assert rights(made, "/home/u/own") == KEEP | n.EXECUTE
    assert rights(made, "/usr") == RUN
    assert rights(made, "/etc/passwd") == LOOK
    for path in ("/", "/etc", "/home/u", "/root", "/var", "/proc", "/dev", "/run"):
        assert not rights(made, path), path
    assert rights(planned(spec("standard"), host()), "/proc") == LOOK


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("home/.ssh", "home/.local/bin", "app/dist", "venv/bin", "python/bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "python/lib/python3.12").mkdir(parents=True)
    (tmp_path / "python/lib/python3.12/os.py").touch()
    (tmp_path / "python/bin/python3").touch()
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {tmp_path}/python/bin\nversion = 3.12\n")
    (tmp_path / "venv/bin/python").symlink_to(tmp_path / "python/bin/python3")
    (tmp_path / "app/dist/index.js").touch()
    (tmp_path / "home/server.py").touch()
    (tmp_path / "home/.local/bin/uvx").touch()
    return tmp_path


def test_a_program_of_an_environment_brings_the_environment(tree: Path) -> None:
    found = set(installations(str(tree / "venv/bin/python")))
    assert found == {tree / "venv", tree / "python"}
    assert not set(installations(str(tree / "home/.local/bin/uvx")))
    made = planned(spec(), host(), command=str(tree / "home/.local/bin/uvx"))
    assert rights(made, str(tree / "home/.local/bin/uvx")) == RUN
    assert not rights(made, str(tree / "home/.local"))


def test_a_link_the_server_may_have_laid_leads_nowhere(tree: Path) -> None:
    secrets = tree / "home/.ssh"
    own = tree / "app"
    (own / "link").symlink_to(secrets)
    (own / "link.py").symlink_to(tree / "home/server.py")
    (own / "up").symlink_to("../home")
    (own / "pyvenv.cfg").write_text(f"home = {secrets}/bin\n")
    args = (str(own / "link"), str(own / "link.py"), f"--x={own}/up/.ssh")
    for write in ((str(own),), (str(own), str(own / "link"))):
        made = planned(spec(write=write), host(), args=args, command=str(own / "bin/python"))
        seen = {path for path, _ in made.rules}
        assert not [path for path in seen if path.startswith(str(tree / "home"))], seen
    assert settle(str(own / "link"), ()) == str(secrets)
    assert settle(str(own / "link"), [str(own)]) is None
    assert settle(f"{own}/./up/server.py", [f"{tree}/other"]) == f"{tree}/home/server.py"
    (own / "round").symlink_to("round")
    assert settle(str(own / "round"), ()) is None


def test_what_arguments_name_is_seen_and_no_more(tree: Path) -> None:
    home = tree / "home"
    args = (
        str(tree / "app/dist/index.js"),
        f"--config={home}/server.py",
        "-v",
        "word",
        str(home),
        "/",
        "../" * 20,
        "a\0b",
        "x" * 9000,
        '{"a": "/b"}',
    )
    found = set(of_arguments(args, str(tree)))
    assert found == {
        str(tree / "app/dist/index.js"),
        str(tree / "app/dist"),
        str(home / "server.py"),
    }
    assert set(of_arguments(("server.py",), str(home))) == {str(home / "server.py")}


def test_a_folder_that_is_everything_is_not_its_own_for_being_started_in(tree: Path) -> None:
    made = planned(spec(), host(), cwd=str(tree / "home"))
    assert not rights(made, str(tree / "home"))
    made = planned(spec(write=(str(tree / "home"),)), host())
    assert rights(made, str(tree / "home")) == KEEP


def test_what_lies_in_what_may_be_changed_is_not_named_twice() -> None:
    made = planned(spec(write=("/d/out/deep", "/d/out", "/d/other")), host(), cwd="/d/out/x")
    assert made.kept == ("/home/u/own", "/d/out", "/d/other")


def test_plans_hold_plain_values_only() -> None:
    made = planned(
        spec(
            network=(Destination("a.example", 443), Destination("::1", 5)),
        ),
        host(),
    )
    told = made.told(1, "", "/hosts", 9)
    assert marshal.loads(marshal.dumps(told)) == told  # noqa: S302 - of this very test
    assert told["namespaces"]["doors"] == [("127.77.0.2", 443), ("::1", 5)]
    assert os.fsdecode(told["namespaces"]["hosts"]) == "/hosts"


def test_what_has_to_stay_in_its_group_has_another_filter() -> None:
    assert planned(spec(stays=True), host()).filter != planned(spec(), host()).filter
