"""Handlers of reviews, one for each path: they apply the pure rules and make the reads that these ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from operators.kube.errors import ApiError
from operators.logs import get_logger
from webhooks import protection
from webhooks.hooktemplates import Caller, HookTemplateValidation
from webhooks.judging import (
    CRD,
    SPEC,
    WORKLOAD_PATH,
    Finding,
    Options,
    ScaleOut,
    TemplateTexts,
    WorkloadFindings,
    judge,
)
from webhooks.lookups import Lookups
from webhooks.metrics import Metrics
from webhooks.protection import CountInstances, Question
from webhooks.reviews import Review
from webhooks.trials import Trials
from webhooks.validation.problems import Problem, verdict
from webhooks.validation.references import Reference, reference_problems
from webhooks.validation.trials import not_tried, outcome
from webhooks.validation.workloads import scale_problems
from webhooks.verdicts import Verdict, allow

_LOG: Final = get_logger(__name__)


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
        return await self.decide(review, judge(CRD, review, self._options))

    async def validate_workload(self, review: Review) -> Verdict:
        """``/validate-workload``."""
        return await self.decide(review, judge(WORKLOAD_PATH, review, self._options))

    async def validate_spec(self, review: Review) -> Verdict:
        """``/validate-spec``."""
        return await self.decide(review, judge(SPEC, review, self._options))

    async def decide(self, review: Review, finding: Finding) -> Verdict:
        """The verdict, once what the finding asks for is known. The objects of the review are not needed any more."""
        match finding:
            case WorkloadFindings():
                both = await asyncio.gather(
                    self._reference_problems(review.namespace, finding.hooks),
                    self._template_problems(review.namespace, finding),
                )
                return verdict([*finding.problems, *(problem for found in both for problem in found)])
            case TemplateTexts():
                return await self._templates.check(review.namespace, finding)
            case ScaleOut():
                return await self._scale(review, finding.replicas)
        final = finding if isinstance(finding, Verdict) else await self._answer(review, finding)
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

    async def _template_problems(self, namespace: str, finding: WorkloadFindings) -> list[Problem]:
        """What the API server says of a template that is new (docs/spec/admission.md 6.4).

        No answer is no reason to hold a change up: the operators try a pod of it before one is deleted.
        """
        if self._trials is None or not namespace:
            return []
        if finding.trial is None:
            return [not_tried(finding.untried)] if finding.untried else []
        found = await self._trials.problems(namespace, finding.trial, finding.before)
        self._metrics.template_tried(outcome(found))
        return found

    async def _reference_problems(self, namespace: str, found: Sequence[Reference]) -> list[Problem]:
        """Warnings about templates; none when they cannot be read, which is no reason to hold a change up."""
        if not found:
            return []
        try:
            templates = await self._lookups.templates(namespace, {r.template for r in found})
        except ApiError as error:
            self._lookup_failed("templates", error)
            return []
        return list(reference_problems(found, templates))

    async def _scale(self, review: Review, replicas: int) -> Verdict:
        """Whether there are indexes for so many pods.

        When the workload cannot be read the change passes: the controller checks the range itself, and pods must not
        stay away because a reader of ours failed.
        """
        try:
            workload = await self._lookups.gamedeployment(review.namespace, review.name)
        except ApiError as error:
            self._lookup_failed("workload", error)
            return allow()
        return verdict(scale_problems(workload, replicas))

    def _lookup_failed(self, lookup: str, error: ApiError) -> None:
        self._metrics.lookup_failed(lookup)
        _LOG.warning("lookup failed", lookup=lookup, error=str(error))
