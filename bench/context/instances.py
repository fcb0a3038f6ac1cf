"""Values that fit a schema, values that nearly do, and schemas to try: seeded, so always the same.

Must not know: what is proved with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

NAMES = ("a", "b", "title", "description", "default", "$ref", "examples", "type", "x-1", "required")
_STRANGE: tuple[Any, ...] = (None, True, 0, -1, 1.5, 10**6, "", "a", "2026-01-01", [], [None], {})
_DEEPEST = 8


def seeded(seed: int) -> Random:
    """Chance that is the same each time."""
    return Random(seed)  # noqa: S311 - nothing here is a secret


def instances(schema: Any, random: Random, fitting: int, mutated: int) -> Iterator[Any]:
    """`fitting` values that mostly fit, and of each `mutated` that mostly nearly do."""
    for _ in range(fitting):
        value = _value(schema, schema, random, 0)
        yield value
        for _ in range(mutated):
            changed = deepcopy(value)
            for _ in range(random.choice((1, 1, 2))):
                changed = _mutated(changed, random)
            yield changed


def _value(schema: Any, root: Any, random: Random, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return random.choice(_STRANGE)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return random.choice(schema["enum"])
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _value(_led(root, reference), root, random, depth + 1)
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            return _value(random.choice(schema[key]), root, random, depth + 1)
    if isinstance(schema.get("allOf"), list) and schema["allOf"]:
        parts = [_value(one, root, random, depth + 1) for one in schema["allOf"]]
        objects = [one for one in parts if isinstance(one, dict)]
        own = _of_type("object", schema, root, random, depth) if "properties" in schema else {}
        return {key: one for part in (*objects, own) for key, one in part.items()} or parts[0]
    kind = schema.get("type")
    if isinstance(kind, list) and kind:
        kind = random.choice(kind)
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return _of_type(kind, schema, root, random, depth)


def _led(root: Any, reference: str) -> Any:
    found = root
    for step in reference.split("/")[1:]:
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _of_type(kind: Any, schema: dict[str, Any], root: Any, random: Random, depth: int) -> Any:
    if kind == "object":
        return _members(schema, root, random, depth)
    if kind == "array":
        return _items(schema, root, random, depth)
    if kind in ("integer", "number"):
        low, high = schema.get("minimum", 0), schema.get("maximum", 100)
        return random.choice((low, high, 1, 2.5 if kind == "number" else 7))
    if kind == "boolean":
        return random.random() < 0.5
    if kind == "null":
        return None
    few = schema.get("minLength")
    return random.choice(("abc", "", "x" * min(few if isinstance(few, int) else 3, 200), "7"))


def _members(schema: dict[str, Any], root: Any, random: Random, depth: int) -> Any:
    properties = schema.get("properties")
    found: dict[str, Any] = {}
    if isinstance(properties, dict):
        needed = schema.get("required") or ()
        for name, one in properties.items():
            if name in needed or random.random() < (0.6 if depth < 3 else 0.1):
                found[name] = _value(one, root, random, depth + 1)
    if isinstance(schema.get("additionalProperties"), dict) and depth < 3:
        found["more"] = _value(schema["additionalProperties"], root, random, depth + 1)
    return found


def _items(schema: dict[str, Any], root: Any, random: Random, depth: int) -> Any:
    few = int(schema.get("minItems", 0)) if isinstance(schema.get("minItems"), int) else 0
    length = min(max(few, random.choice((0, 1, 2)) if depth < 4 else 0), 20)
    items = schema.get("items")
    if isinstance(items, list):
        return [_value(one, root, random, depth + 1) for one in items]
    return [_value(items, root, random, depth + 1) for _ in range(length)]


def _mutated(value: Any, random: Random) -> Any:
    if isinstance(value, dict) and value and random.random() < 0.8:
        key = random.choice(list(value))
        what = random.randrange(4)
        if what == 0:
            del value[key]
        elif what == 1:
            value[random.choice((*NAMES, key + "_"))] = random.choice(_STRANGE)
        else:
            value[key] = _mutated(value[key], random)
        return value
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        what = random.randrange(3)
        if what == 0:
            del value[at]
        elif what == 1:
            value.append(deepcopy(value[at]))
        else:
            value[at] = _mutated(value[at], random)
        return value
    return deepcopy(random.choice(_STRANGE))


def schema(random: Random, depth: int = 0, names: tuple[str, ...] = ()) -> Any:
    """A schema of what tools use, and of what is hard to move. `names`: definitions there are."""
    if depth == 0:
        names = tuple(random.sample(("A", "B", "C", "D"), random.randrange(4)))
        found: dict[str, Any] = _object(random, 0, names)
        if names:
            key = random.choice(("$defs", "$defs", "definitions"))
            # References lead to what comes later, so that none leads back to itself; but through
            # members they may.
            later = {name: names[at + 1 :] for at, name in enumerate(names)}
            found[key] = {name: schema(random, 2, later[name]) for name in names}
            for one in found[key].values():
                if isinstance(one, dict) and one.get("properties") and random.random() < 0.3:
                    one["properties"]["again"] = {"$ref": f"#/$defs/{random.choice(names)}"}
            found = _renamed(found, key)
        if random.random() < 0.5:
            found["$schema"] = random.choice(
                (
                    "http://json-schema.org/draft-07/schema#",
                    "https://json-schema.org/draft/2020-12/schema",
                    "https://json-schema.org/draft/2019-09/schema",
                )
            )
        return found
    found = _one(random, depth, names)
    if isinstance(found, dict):
        for key, value in (
            ("title", random.choice(("A", "Title", "b"))),
            ("description", "  a \n\n  b  c"),
            ("$comment", "x"),
            ("default", None),
            ("examples", []),
        ):
            if random.random() < 0.15:
                found[key] = value
    return found


def _renamed(found: Any, key: str) -> Any:
    if isinstance(found, dict):
        return {
            name: one.replace("$defs", key)
            if name == "$ref" and isinstance(one, str)
            else _renamed(one, key)
            for name, one in found.items()
        }
    return [_renamed(one, key) for one in found] if isinstance(found, list) else found


def _object(random: Random, depth: int, names: tuple[str, ...]) -> dict[str, Any]:
    properties = random.sample(NAMES, random.randrange(1, 4))
    found: dict[str, Any] = {
        "type": "object",
        "properties": {name: schema(random, depth + 1, names) for name in properties},
    }
    if random.random() < 0.5:
        found["required"] = random.sample(properties, random.randrange(len(properties) + 1))
    if random.random() < 0.5:
        found["additionalProperties"] = random.choice((True, False, {}, {"type": "string"}))
    if random.random() < 0.05:
        found["unevaluatedProperties"] = False
    if random.random() < 0.05:
        found["dependentRequired"] = {properties[0]: ["a"]}
    return found


def _one(random: Random, depth: int, names: tuple[str, ...]) -> Any:
    kind = random.randrange(12 if depth < 4 else 4)
    plain: dict[str, Any] = random.choice(
        (
            {"type": "string", "minLength": 1},
            {"type": "integer", "minimum": 0, "maximum": 7},
            {"type": ["string", "integer"]},
            {"type": "boolean"},
            {"enum": ["a", 1, None]},
            {"type": "string", "enum": ["a", "abc"]},
            {"const": "a"},
            {},
        )
    )
    if kind < 3:
        return deepcopy(plain)
    if kind == 3:
        return True if random.random() < 0.3 else {"type": "array", "items": deepcopy(plain)}
    if kind in (4, 5):
        left = schema(random, depth + 1, names)
        choices = [left, {"type": "null"}]
        random.shuffle(choices)
        found: dict[str, Any] = {random.choice(("anyOf", "anyOf", "oneOf")): choices}
        if random.random() < 0.2:
            found |= deepcopy(plain)
        return found
    if kind in (6, 7) and names:
        found = {"$ref": f"#/$defs/{random.choice(names)}"}
        if random.random() < 0.15:
            found["type"] = "string"
        return found
    if kind == 8:
        items = [deepcopy(plain), schema(random, depth + 1, names)]
        many = {"items": items} if random.random() < 0.3 else {"prefixItems": items}
        return {"type": "array", **(many if random.random() < 0.3 else {"items": items[1]})}
    if kind == 9:
        key = random.choice(("allOf", "anyOf", "oneOf"))
        return {key: [schema(random, depth + 1, names) for _ in range(2)]}
    if kind == 10:
        return {"not": schema(random, depth + 1, names)}
    return _object(random, depth, names)
