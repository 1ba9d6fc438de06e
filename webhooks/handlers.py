"""From a review to a verdict: the pure rules, and the reads they ask for."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final

from operators.api import keys
from operators.kube.errors import ApiError
from webhooks import protection
from webhooks.lookups import Lookups
from webhooks.metrics import Metrics
from webhooks.objects import Json, number, part
from webhooks.protection import KINDS, WORKLOADS, CountInstances, Question, Rules
from webhooks.reviews import Review
from webhooks.validation.problems import Problem, fresh, verdict
from webhooks.validation.references import reference_problems, references
from webhooks.validation.templates import template_problems
from webhooks.validation.workloads import change_problems, scale_problems, workload_problems
from webhooks.verdicts import Verdict, allow

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What the cluster's owner decided."""

    rules: Rules = field(default_factory=Rules)
    strict_inplace: bool = False
    enable_hotpatch: bool = False


class Judge:
    """Answers reviews; it never raises for what a review holds."""

    def __init__(self, options: Options, lookups: Lookups, metrics: Metrics) -> None:
        self._options, self._lookups, self._metrics = options, lookups, metrics

    async def definition(self, review: Review) -> Verdict:
        """``/validate-crd``."""
        return await self._protect(review, protection.judge_definition(review, self._options.rules))

    async def workload(self, review: Review) -> Verdict:
        """``/validate-workload``."""
        return await self._protect(review, protection.judge_object(review, self._options.rules))

    async def _protect(self, review: Review, first: Verdict | Question) -> Verdict:
        final = first if isinstance(first, Verdict) else await self._after(review, first)
        if protection.asks_for_namespace(review, final, self._options.rules):
            try:
                if await self._lookups.namespace_ending(review.namespace):
                    return allow()
            except ApiError as error:
                self._failed("namespace", error)
        return final

    async def _after(self, review: Review, question: Question) -> Verdict:
        try:
            if isinstance(question, CountInstances):
                return protection.after_count(question, await self._lookups.count(question))
            return protection.after_search(review, await self._lookups.users(question))
        except ApiError as error:
            self._failed("instances", error)
            return protection.after_failure(question, str(error))

    async def spec(self, review: Review) -> Verdict:
        """``/validate-spec``: creations and updates of workloads and HookTemplates, and their scaling."""
        kind = KINDS.get(review.resource.resource, "")
        if review.resource.group != keys.GROUP or review.new is None or review.operation not in ("CREATE", "UPDATE"):
            return allow()
        if review.subresource == "scale" and kind == "GameDeployment":
            return await self._scale(review, review.new)
        if review.subresource or part(review.new, "metadata").get("deletionTimestamp"):
            return allow()
        if review.resource.resource in WORKLOADS:
            return await self._workload_spec(kind, review, review.new)
        if kind == "HookTemplate":
            return verdict(fresh(template_problems, review.old, review.new))
        return allow()

    async def _workload_spec(self, kind: str, review: Review, new: Json) -> Verdict:
        options = self._options
        problems = fresh(
            lambda o: workload_problems(kind, o, hotpatch=options.enable_hotpatch),
            review.old,
            new,
        )
        if review.old is not None:
            problems += change_problems(review.old, new, strict=options.strict_inplace)
        return verdict([*problems, *await self._reference_problems(review.namespace, new)])

    async def _reference_problems(self, namespace: str, new: Json) -> list[Problem]:
        """Warnings about templates; none when they cannot be read, which is no reason to hold a change up."""
        found = references(new)
        if not found:
            return []
        try:
            templates = await self._lookups.templates(namespace, {r.template for r in found})
        except ApiError as error:
            self._failed("templates", error)
            return []
        return list(reference_problems(found, templates))

    async def _scale(self, review: Review, scale: Json) -> Verdict:
        """Scaling in is always allowed; scaling out within the range of indexes (V14).

        When the workload cannot be read the change passes: the controller checks the range itself, and pods must not
        stay away because a reader of ours failed.
        """
        replicas = number(part(scale, "spec"), "replicas", 0)
        if replicas <= number(part(review.old, "spec"), "replicas", 0):
            return allow()
        try:
            workload = await self._lookups.gamedeployment(review.namespace, review.name)
        except ApiError as error:
            self._failed("workload", error)
            return allow()
        return verdict(scale_problems(workload, replicas))

    def _failed(self, lookup: str, error: ApiError) -> None:
        self._metrics.lookup_failed(lookup)
        _LOG.warning("looking up %s failed: %s", lookup, error)
