"""CEL rules, and how they are put into a schema.

A message names the value; the API server adds the field. Rules on a part of an object are not asked again while that
part stays as it is (the API server's ratcheting), so an object older than a rule can still be updated. That does not
hold where the part is a whole spec, which changes with every update, nor where it holds fields that no schema knows,
which the API server takes for changed: such rules look at the old object themselves, see `lasting`.
"""

from __future__ import annotations

import re
from typing import Any, Final

Schema = dict[str, Any]

#: A DNS subdomain: the name of most objects, pods and HookTemplates among them.
SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
#: A DNS label: the name of a Service, and the host name of a pod.
LABEL: Final = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
#: The key of a label or an annotation.
QUALIFIED: Final = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
)
#: A percentage between 0% and 100%.
PERCENT: Final = "^(100|[1-9]?[0-9])%$"

#: How the description begins of what is declared only to be refused.
REFUSED: Final = "Not a field: "

_VALUE: Final = re.compile(r"\{((?:[^{}]|\{\})*)\}")


def quoted(text: str) -> str:
    """A text as a CEL literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def rule(expression: str, message: str, detail: str = "", *, field: str = "", first: bool = False) -> Schema:
    """A rule; ``detail`` ends the message, with CEL expressions in braces: ``", not {self}"``.

    ``field`` is the field to blame, below the one that carries the rule. ``first`` lets the rule run without an old
    object; ``oldSelf`` is then optional.
    """
    body: Schema = {"rule": expression, "message": message}
    if detail:
        # One call of format: the API server cannot bound the cost of joining texts whose length it does not know.
        text = quoted(message.replace("%", "%%") + _VALUE.sub("%s", detail))
        body["messageExpression"] = f"{text}.format([{', '.join(_VALUE.findall(detail))}])"
    if field:
        body["fieldPath"] = f".{field}"
    if first:
        body["optionalOldSelf"] = True
    return body


def lasting(expression: str, message: str, detail: str = "", *, field: str = "") -> Schema:
    """A rule on a whole object, with ``{0}`` for the object; not asked when the old object breaks it already."""
    broken = f"oldSelf.hasValue() && !({expression.format('oldSelf.value()')})"
    return rule(f"({expression.format('self')}) || ({broken})", message, detail, field=field, first=True)


def exactly_one(*fields: str) -> str:
    """CEL: one of these optional fields is given, and only one."""
    return " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in fields) + " == 1"


def given(*fields: str) -> str:
    """For the detail of a message: the names of those fields that are given."""
    names = "".join(f"{{has(self.{name}) ? ' {name}' : ''}}" for name in fields)
    none = " || ".join(f"has(self.{name})" for name in fields)
    return f"{names}{{{none} ? '' : ' none'}}"


def kept(field: str) -> str:
    """CEL: an optional field neither came, went nor changed."""
    return f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"


def at(schema: Schema, path: str) -> Schema:
    """The schema of a field; ``[]`` stands for the items of a list."""
    for part in path.split(".") if path else ():
        schema = schema["items"] if part == "[]" else schema["properties"][part]
    return schema


def add(schema: Schema, path: str, *rules: Schema) -> None:
    """Add rules to a field."""
    at(schema, path).setdefault("x-kubernetes-validations", []).extend(rules)


def int_or_percent(schema: Schema, path: str, *, zero: bool = True) -> None:
    """A number that is not negative, or a percentage between 0% and 100%."""
    name = path.rsplit(".", 1)[-1]
    at(schema, path)["maxLength"] = 16
    expression = f"type(self) == int ? self >= 0 : self.matches({quoted(PERCENT)})"
    shown = """, not {type(self) == int ? string(self) : '"' + string(self) + '"'}"""
    add(schema, path, rule(expression, f"{name} must be a number or a percentage from 0% to 100%", shown))
    if not zero:
        add(schema, path, rule("self != 0 && self != '0%'", f"{name} must be greater than 0"))


def matching(schema: Schema, path: str, pattern: str, message: str) -> None:
    """A text that matches a pattern; the message says what it should be."""
    add(schema, path, rule(f"self.matches({quoted(pattern)})", message, ', not "{self}"'))


def immutable(schema: Schema, path: str) -> None:
    """A field that is always there and never changes."""
    name = path.rsplit(".", 1)[-1]
    add(schema, path, rule("self == oldSelf", f"spec.{name} cannot change; make a new object instead"))


def list_of(schema: Schema, path: str, *keys: str) -> None:
    """A list without repeats: of values, or of objects told apart by ``keys``."""
    body: Schema = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
    at(schema, path).update(body if keys else {"x-kubernetes-list-type": "set"})


def required(schema: Schema, path: str, field: str, message: str) -> None:
    """Ask for a field by a rule instead of the schema, which would keep all other rules from being asked."""
    owner = at(schema, path)
    owner["required"] = [name for name in owner["required"] if name != field]
    add(owner, "", {**rule(f"has(self.{field})", message, field=field), "reason": "FieldValueRequired"})


def refused(schema: Schema, path: str, key: str, like: Schema, message: str) -> None:
    """Refuse a field that is none.

    An undeclared field is dropped without a word where the client does not ask for strict validation, so the ones
    that people do write are declared, to be refused.
    """
    refusal = rule("oldSelf.hasValue()", message, first=True)
    node = {**like, "description": f"{REFUSED}{message}.", "x-kubernetes-validations": [refusal]}
    at(schema, path)["properties"][key] = node


def misplaced(schema: Schema, path: str, key: str, like: Schema, instead: str) -> None:
    """Refuse a field where it does not belong, and say where it does."""
    refused(schema, path, key, like, f"{key} does not belong here, write {instead}")
