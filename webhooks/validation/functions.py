"""What a worker of the webhooks can be asked to do: to judge a large review, or the texts of a HookTemplate.

It is loaded by `operators.sandbox.worker`, so nothing here or below may start a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from operators.kube.wire import read_deep
from webhooks.judging import finding_to_json, judge, options_from_json, without_large_trial
from webhooks.objects import part, text
from webhooks.reviews import CONTENT_TYPE, read
from webhooks.validation.templates import template_problems


def check_template(argument: Any, body: bytes) -> list[tuple[str, str, bool]]:
    """Field, text and fatality of each problem of a HookTemplate; ``body`` is not used."""
    del body
    return [(problem.field, problem.text, problem.fatal) for problem in template_problems(argument)]


def judge_review(argument: Any, body: bytes) -> dict[str, Any]:
    """The review in a body without its objects, and what it comes to.

    Args:
        argument: ``path`` of the request, and ``options``.
        body: The review.

    Raises:
        BadReview: it is none.
    """
    review = read(body, CONTENT_TYPE)
    finding = judge(argument["path"], review, options_from_json(argument["options"]))
    finding = without_large_trial(finding, len(body))
    name = text(part(review.old, "metadata"), "name") or review.name
    return {"review": replace(review, name=name, old=None, new=None), "finding": finding_to_json(finding)}


read_deep()
FUNCTIONS: Final[Mapping[str, Callable[[Any, bytes], Any]]] = {
    "check_template": check_template,
    "judge_review": judge_review,
}
