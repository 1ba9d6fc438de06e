"""Handlers of reviews, one for each path: they apply the pure rules and make the reads that these ask for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from operators.api import keys
from operators.kube.errors import ApiError
from operators.logs import get_logger
from webhooks import protection
from webhooks.hooktemplates import Caller, HookTemplateValidation
from webhooks.lookups import Lookups
from webhooks.metrics import Metrics
from webhooks.objects import Json, number, part, text
from webhooks.protection import KINDS, WORKLOADS, CountInstances, Question, Rules
from webhooks.reviews import Review
from webhooks.trials import Trials
from webhooks.validation.limits import WORKLOAD, limit_problems
from webhooks.validation.problems import Problem, new_problems, verdict, warning
from webhooks.validation.references import reference_problems, references
from webhooks.validation.trials import not_tried, outcome, template_changed, trial
from webhooks.validation.workloads import change_problems, scale_problems, workload_problems
from webhooks.verdicts import Verdict, allow

_LOG: Final = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What the cluster's owner decided."""

    rules: Rules = field(default_factory=Rules)
    strict_inplace: bool = False
    enable_hotpatch: bool = False


class ReviewHandlers:
    """One handler for each path. Whatever a review holds, they return a verdict and do not raise."""

    def __init__(
        self,
        options: Options,
        lookups: Lookups,
        metrics: Metrics,
        pool: Caller | None = None,
        trials: Trials | None = None,
    ) -> None:
        """``trials`` tries pod templates; without it none is tried."""
        self._options, self._lookups, self._metrics, self._trials = options, lookups, metrics, trials
        self._templates = HookTemplateValidation(pool)

    async def validate_crd(self, review: Review) -> Verdict:
        """``/validate-crd``."""
        return await self._decide_deletion(review, protection.check_definition_deletion(review, self._options.rules))

    async def validate_workload(self, review: Review) -> Verdict:
        """``/validate-workload``."""
        return await self._decide_deletion(review, protection.check_object_deletion(review, self._options.rules))

    async def _decide_deletion(self, review: Review, first: Verdict | Question) -> Verdict:
        final = first if isinstance(first, Verdict) else await self._answer(review, first)
        if protection.depends_on_namespace(review, final, self._options.rules):
            try:
                if await self._lookups.namespace_ending(review.namespace):
                    return allow()
            except ApiError as error:
                self._lookup_failed("namespace", error)
        return final

    async def _answer(self, review: Review, question: Question) -> Verdict:
        try:
            if isinstance(question, CountInstances):
                return protection.verdict_after_count(question, await self._lookups.count(question))
            return protection.verdict_after_search(review, await self._lookups.users(question))
        except ApiError as error:
            self._lookup_failed("instances", error)
            return protection.verdict_after_failure(question, str(error))

    async def validate_spec(self, review: Review) -> Verdict:
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
            return await self._templates.check(review.namespace, review.old, review.new)
        return allow()

    async def _workload_spec(self, kind: str, review: Review, new: Json) -> Verdict:
        options = self._options
        if limit_problems(WORKLOAD, new):
            added = new_problems(lambda o: limit_problems(WORKLOAD, o), review.old, new)
            return verdict(added or [warning("spec", "not checked, because it is beyond a limit")])
        problems = new_problems(
            lambda o: workload_problems(kind, o, hotpatch=options.enable_hotpatch),
            review.old,
            new,
        )
        if review.old is not None:
            problems += change_problems(review.old, new, strict=options.strict_inplace)
        if any(problem.fatal for problem in problems):
            return verdict([*problems, *await self._reference_problems(review.namespace, new)])
        both = await asyncio.gather(
            self._reference_problems(review.namespace, new), self._template_problems(kind, review, new)
        )
        return verdict([*problems, *(problem for found in both for problem in found)])

    async def _template_problems(self, kind: str, review: Review, new: Json) -> list[Problem]:
        """What the API server says of a template that is new (docs/spec/admission.md 6.4).

        No answer is no reason to hold a change up: the operators try a pod of it before one is deleted.
        """
        if self._trials is None or not review.namespace or not template_changed(review.old, new):
            return []
        name = review.name or text(part(new, "metadata"), "generateName")
        asked = trial(kind, name, new)
        before = trial(kind, name, review.old) if review.old is not None else None
        if asked is None:
            return [not_tried("it has not the shape of a template")]
        found = await self._trials.problems(review.namespace, asked, before)
        self._metrics.template_tried(outcome(found))
        return found

    async def _reference_problems(self, namespace: str, new: Json) -> list[Problem]:
        """Warnings about templates; none when they cannot be read, which is no reason to hold a change up."""
        found = references(new)
        if not found:
            return []
        try:
            templates = await self._lookups.templates(namespace, {r.template for r in found})
        except ApiError as error:
            self._lookup_failed("templates", error)
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
            self._lookup_failed("workload", error)
            return allow()
        return verdict(scale_problems(workload, replicas))

    def _lookup_failed(self, lookup: str, error: ApiError) -> None:
        self._metrics.lookup_failed(lookup)
        _LOG.warning("lookup failed", lookup=lookup, error=str(error))
