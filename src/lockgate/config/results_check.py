"""What is wrong with what is kept of results that the model alone cannot see.

Must not know: how results are kept. Nothing in a configuration says how many processes serve it;
keys for sessions say that there may be others, or that this one goes on where the last one ended.
"""

from __future__ import annotations

from lockgate.config.finding import Findings
from lockgate.config.model import Config
from lockgate.config.nodes import Node
from lockgate.config.results import ResultsSettings


def review_results(config: Config, tree: Node, findings: Findings) -> None:
    """Note everything that is found."""
    settings = config.lockgate
    if _anywhere(config) and settings.session.keyed:
        _shared(config, tree, findings)
    for path in {settings.path: None, **dict.fromkeys(settings.endpoints)}:
        if config.compact(path).repeats == "diff" and not _at(config, path):
            written = ("lockgate", "endpoints", path, "compact", "repeats")
            findings.add(
                "repeats-unkept",
                f"`compact.repeats: diff` tells at {path} what changed in a result, and none is "
                "kept there.",
                "Set `results.enabled` to true there, or `repeats` to suppress.",
                tree.locate(written)[0],
            )


def _shared(config: Config, tree: Node, findings: Findings) -> None:
    settings = config.lockgate
    if settings.store is not None and settings.results.shared:
        return
    why = "`results.shared` is false" if settings.store is not None else "there is no store"
    findings.add(
        "results-unshared",
        "`lockgate.session` lets other processes, and the next start, go on with sessions; the "
        f"results that are kept for them are in the memory of one process alone: {why}.",
        "Set `lockgate.store`, with `results.shared` left at true; ids open with the keys of "
        "`lockgate.session`.",
        tree.locate(("lockgate", "results"))[0],
    )


def _anywhere(config: Config) -> bool:
    settings = config.lockgate
    return any(_at(config, path) for path in (settings.path, *settings.endpoints))


def _at(config: Config, path: str) -> bool:
    """Whether results of any server are kept at an endpoint."""
    here, general = config.lockgate.endpoints.get(path), config.lockgate.results
    on = general if here is None else _over(general, here.results)
    named = None if here is None else here.servers
    return any(
        _over(on, one.results).enabled
        for name, one in config.enabled.items()
        if named is None or name in named
    )


def _over(general: ResultsSettings, own: ResultsSettings) -> ResultsSettings:
    return own if "enabled" in own.model_fields_set else general
