"""Orders in a database, as a server that trusts nobody: not its callers, not its arguments.

Who may ask and who may use what is the gateway's (`lockgate.yaml`), and what this process may touch
is the sandbox's. What is left for a server is to take no argument for what it is not.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer

from lockgate.kit import errors, logs, shutdown, validate

FOLDER = Path(os.environ.get("ORDERS_FOLDER", "data"))
COLUMNS = {"id", "customer", "item", "amount"}
server = MCPServer("orders")
ending = shutdown.Shutdown()
log = logs.logger("orders")


def database() -> sqlite3.Connection:
    """The database; made when it is not there."""
    made = sqlite3.connect(FOLDER / "orders.sqlite")
    made.row_factory = sqlite3.Row
    made.execute(
        "CREATE TABLE IF NOT EXISTS orders"
        " (id INTEGER PRIMARY KEY, customer TEXT, item TEXT, amount INTEGER)"
    )
    return made


def asked(query: str, *values: object) -> list[dict[str, Any]]:
    """What a query gives; `values` are parameters of it and never text of it."""
    with database() as opened:
        return [dict(row) for row in opened.execute(query, values)]


@server.tool()
@errors.reported
@ending.tracked
async def list_orders(customer: str, order_by: str = "id", most: int = 20) -> list[dict[str, Any]]:
    """Orders of a customer."""
    validate.identifier(customer, name="customer")
    validate.number(most, 1, 100, name="most")
    # A column's name cannot be a parameter, so it is one of those there are.
    column = validate.sql_identifier(order_by, COLUMNS, name="order_by")
    query = f"SELECT * FROM orders WHERE customer = ? ORDER BY {column} LIMIT ?"  # noqa: S608 - see above
    return await asyncio.to_thread(asked, query, customer, most)


@server.tool()
@errors.reported
@ending.tracked
async def place_order(customer: str, item: str, amount: int = 1) -> dict[str, Any]:
    """Order something."""
    validate.identifier(customer, name="customer")
    validate.text(item, least=1, most=100, lines=False, name="item")
    validate.number(amount, 1, 100, name="amount")
    query = "INSERT INTO orders (customer, item, amount) VALUES (?, ?, ?) RETURNING *"
    (order,) = await asyncio.to_thread(asked, query, customer, item, amount)
    log.info("ordered", order=order["id"], customer=customer)
    return order


@server.tool()
@errors.reported
@ending.tracked
async def read_invoice(name: str) -> str:
    """An invoice, by the name of its file."""
    path = validate.path(name, FOLDER / "invoices", exists=True, name="name")
    if not path.is_file():
        raise errors.NotFound("That is no invoice")
    return await asyncio.to_thread(path.read_text)


if __name__ == "__main__":
    logs.configure("info", "json")
    (FOLDER / "invoices").mkdir(parents=True, exist_ok=True)
    asyncio.run(ending.run(server.run_stdio_async()))
