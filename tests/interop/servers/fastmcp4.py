"""A FastMCP 4 server whose tool asks who is calling, in the way of either era.

Run `python -m tests.interop.servers.fastmcp4 PORT`.
"""

import sys

from fastmcp import Context, FastMCP
from mcp_types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult

QUESTION = "What is your name?"
SCHEMA = {"type": "object", "properties": {"value": {"type": "string"}}, "required": ["value"]}
server = FastMCP("asker")


@server.tool
async def ask_name(ctx: Context, greeting: str = "Hello") -> str | InputRequiredResult:
    """Greet whoever is calling, by the name they give."""
    if not ctx._is_modern_protocol():
        answer = await ctx.elicit(QUESTION, response_type=str)
        return f"{greeting}, {getattr(answer, 'data', answer.action)}! (asked)"
    if ctx.input_responses is None:
        params = ElicitRequestFormParams(message=QUESTION, requested_schema=SCHEMA)
        return InputRequiredResult(
            input_requests={"name": ElicitRequest(params=params)}, request_state=greeting
        )
    given = ctx.input_responses["name"]
    said = (getattr(given, "content", None) or {}).get("value", getattr(given, "action", "nobody"))
    return f"{ctx.request_state}, {said}! (returned)"


if __name__ == "__main__":
    server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
