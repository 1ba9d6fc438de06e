"""What a worker of the webhooks can be asked to do: to read the languages inside the texts of a HookTemplate.

It is loaded by `operators.sandbox.worker`, so nothing here or below may start a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from webhooks.validation.templates import template_problems


def check_template(argument: Any, body: bytes) -> list[tuple[str, str, bool]]:
    """Field, text and fatality of each problem of a HookTemplate; ``body`` is not used."""
    del body
    return [(problem.field, problem.text, problem.fatal) for problem in template_problems(argument)]


FUNCTIONS: Final[Mapping[str, Callable[[Any, bytes], Any]]] = {"check_template": check_template}
