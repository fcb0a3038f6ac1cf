"""Judges definitions on stdin by Agent Threat Rules; runs in an environment of its own.

Must not know: Lockgate. Every field a rule may ask for holds the text. Critical and high are an
alarm, anything less asks for a look.
"""

import json
import sys
import time

from pyatr import (  # pyright: ignore[reportMissingImports] - of the environment this runs in
    AgentEvent,
    ATREngine,
)

FIELDS = ("user_input", "agent_output", "tool_response", "tool_args", "tool_name", "agent_message")
MORE = ("tool_description", "content", "description")
ENGINE = ATREngine()
ENGINE.load_default_rules()


def grade(text: str) -> int:
    """2 for an alarm, 1 for something to look at, 0 for nothing."""
    fields = dict.fromkeys((*FIELDS, *MORE), text)
    found = ENGINE.evaluate(AgentEvent(content=text, event_type="llm_input", fields=fields))
    if any(one.severity in ("critical", "high") for one in found):
        return 2
    return 1 if found else 0


TEXTS = [json.loads(line)["text"] for line in sys.stdin]
BEGAN = time.perf_counter()
GRADES = [grade(text) for text in TEXTS]
print(json.dumps({"grades": GRADES, "seconds": time.perf_counter() - BEGAN}))
