"""Every rule: its bad example is found, its good one is not."""

from __future__ import annotations

import pytest

from lockgate.lint.rule import Problem, whole
from lockgate.lint.rules import BY_RUFF, RULES
from lockgate.lint.run import lint


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, tuple[Problem, ...]]]:
    """What is found in the examples of each rule, each example a project of its own."""
    folder = tmp_path_factory.mktemp("examples")
    result: dict[str, dict[str, tuple[Problem, ...]]] = {}
    for name, rule in RULES.items():
        result[name] = {}
        for kind, text in (("bad", rule.bad), ("good", rule.good)):
            path = folder / f"{name.replace('-', '_')}_{kind}.py"
            path.write_text(whole(text), encoding="utf-8")
            (looked,) = lint([path]).files
            assert looked.error is None, (name, kind)
            result[name][kind] = looked.problems
    return result


Examples = dict[str, dict[str, tuple[Problem, ...]]]


@pytest.mark.parametrize("name", RULES)
def test_the_bad_example_is_found(name: str, found: Examples) -> None:
    severities = [one.severity for one in found[name]["bad"] if one.rule == name]
    assert severities == [RULES[name].severity]


@pytest.mark.parametrize("name", RULES)
def test_in_the_good_example_nothing_is_found(name: str, found: Examples) -> None:
    assert [one.rule for one in found[name]["good"] if one.severity != "note"] == []
    assert [one.rule for one in found[name]["good"] if one.rule == name] == []


def test_a_rule_of_ruff_becomes_one_finding_only() -> None:
    assert sum(len(one.ruff) for one in RULES.values()) == len(BY_RUFF)
