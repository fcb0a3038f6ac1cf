"""What a child gets of an environment, and what is refused."""

from __future__ import annotations

import os

import pytest

from lockgate.upstreams.environment import child_environment, impossible, unsafe

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "x",
    "GITHUB_TOKEN": "x",
    "HTTPS_PROXY": "http://me:secret@proxy",
    "LD_PRELOAD": "x.so",
    "NODE_OPTIONS": "--require x",
    "OPENAI_API_KEY": "x",
    "PYTHONPATH": "x",
    "SSH_AUTH_SOCK": "x",
    "SSL_CERT_FILE": "x",
    "VIRTUAL_ENV": "x",
    "XLC_ALL": "x",
}


def test_only_the_safe_set_is_passed_on() -> None:
    safe = {"PATH": "/bin", "HOME": "/h", "LC_TIME": "C", "TZ": "UTC", "TMPDIR": "/t"}
    assert child_environment({}, {**SECRETS, **safe}) == safe


def test_what_is_declared_wins_and_nothing_else_is_added() -> None:
    got = child_environment({"HOME": "/mine", "TOKEN": "t"}, {"HOME": "/h", "PATH": "/bin"})
    assert got == {"HOME": "/mine", "PATH": "/bin", "TOKEN": "t"}


def test_a_function_a_shell_exported_is_no_value() -> None:
    assert child_environment({}, {"TERM": "() { :; }; evil", "LANG": "C"}) == {"LANG": "C"}


def test_letter_case_does_not_matter_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    got = child_environment({"Path": "mine"}, {"PATH": "theirs", "SystemRoot": "C:\\Windows"})
    assert got == {"Path": "mine", "SystemRoot": "C:\\Windows"}


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD",
        "ld_library_path",
        "DYLD_INSERT_LIBRARIES",
        "NODE_OPTIONS",
        "PythonPath",
        "PYTHONSTARTUP",
        "npm_config_script_shell",
        "NPM_CONFIG_registry",
        "BASH_ENV",
        "BASH_FUNC_ls%%",
        "GIT_SSH_COMMAND",
    ],
)
def test_names_that_change_code_are_unsafe_in_any_case(name: str) -> None:
    assert unsafe({name: "x", "API_KEY": "y"}) == [name]


@pytest.mark.parametrize(
    ("name", "value"), [("A", "x\0y"), ("A=B", "x"), ("", "x"), ("A\0", "x"), ("A", "\ud800")]
)
def test_what_no_environment_can_hold(name: str, value: str) -> None:
    assert impossible({name: value, "FINE": "é = \udcff"}) == [name]
    assert not impossible(dict(os.environ))
