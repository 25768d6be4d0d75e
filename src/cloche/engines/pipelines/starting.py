"""How a step begins, by its type, and how its failures are taken. All of it may be repeated after a crash."""

from __future__ import annotations

from typing import Any, Final, Protocol

from cloche.engines.pipelines import (
    baselines,
    caching,
    conditions,
    kinds,
    messages,
    naming,
    quality,
    retrying,
    steprows,
)
from cloche.engines.pipelines.children import Children, Plan, plain, plan_child
from cloche.engines.pipelines.definition import Step
from cloche.engines.pipelines.expressions import evaluate
from cloche.engines.pipelines.functions import Call, Functions
from cloche.engines.pipelines.graph import FAILED, STOPPED, SUCCEEDED
from cloche.engines.pipelines.references import Undefined
from cloche.engines.pipelines.reuse import Reuse, note
from cloche.engines.pipelines.run import Run
from cloche.engines.pipelines.scope import Known
from cloche.engines.pipelines.steprows import PROPERTIES, StepRow
from cloche.foundation.api import Api, Refused
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Invalid
from cloche.storage.metadata.records import Record

# As ListPipelineExecutionSteps of real executions has them (account-level limits that were reached, 2023 and 2024).
_REFUSED: Final = "ClientError: Failed to invoke {service}:{operation}. Error Details: {message}"
_NO_POLICY: Final = (
    "\nRetry not appropriate on execution of step with PipelineExecutionArn {execution} and StepId {step}. "
    "No retry policy configured for the exception type {exception}."
)


class Rememberer(Protocol):
    def remember(self, step: str, properties: dict[str, Any]) -> None: ...


class Starting:
    def __init__(self, api: Api, clock: Clock, children: Children, reuse: Reuse, functions: Functions) -> None:
        self._api = api
        self._clock = clock
        self._children = children
        self._reuse = reuse
        self._functions = functions

    def begin(self, run: Run, step: Step, known: Known) -> StepRow:
        """The row of a step that has just begun; it may have ended already."""
        row = run.begin(step.name, self._clock.time())
        self.attempt(run, step, row, known)
        return row

    def attempt(self, run: Run, step: Step, row: StepRow, known: Known) -> None:
        """The first attempt, or the next after a pause."""
        row.state.pop("retry_at", None)
        try:
            if step.type == kinds.CONDITION:
                self._decide(run, step, row, known)
            elif step.type == kinds.FAIL:
                self._fail(run, step, row, known)
            elif step.type == kinds.CALLBACK:
                self._ask(run, step, row, known)
            elif step.type == kinds.LAMBDA:
                self._call(run, step, row, known)
            else:
                self._make(run, step, row, known)
        except Undefined as undefined:
            run.end(row, FAILED, self._clock.time(), reason=f"ClientError: {undefined}")

    # -- by type -----------------------------------------------------------------------------------------

    def _decide(self, run: Run, step: Step, row: StepRow, known: Known) -> None:
        outcome = all(conditions.holds(each, known) for each in step.arguments["Conditions"])
        row.state["outcome"] = outcome
        row.state["metadata"] = {"Condition": {"Outcome": "True" if outcome else "False"}}
        run.taken[step.name] = outcome
        self.succeed(run, row, known, {"Outcome": outcome})

    def _fail(self, run: Run, step: Step, row: StepRow, known: Known) -> None:
        message = str(plain(evaluate(step.arguments.get("ErrorMessage", ""), known)))
        row.state["metadata"] = {"Fail": {"ErrorMessage": message}}
        run.end(row, FAILED, self._clock.time(), reason=message)

    def _ask(self, run: Run, step: Step, row: StepRow, known: Known) -> None:
        arguments, queue = evaluate(step.arguments, known), evaluate(step.target, known)
        if self._is_spared(run, step, row, known, arguments, queue):
            return
        token = naming.callback_token(run.arn, step.name, row.attempt)
        row.state |= {"token": token, "arguments": arguments, "queue": queue}
        row.state["metadata"] = {"Callback": {"CallbackToken": token, "SqsQueueUrl": queue}}
        run.keep(row, self._clock.time())  # an answer may come as soon as the message is there: keep the token first
        run.writes.append(lambda tx: messages.await_answer(tx, run, step.name, token))

    def send(self, run: Run, step: Step, row: StepRow) -> None:
        """The message of a Callback step whose token is on the disk."""
        state = row.state
        try:
            messages.send(self._api, run, state["queue"], state["token"], state["arguments"], steprows.EXECUTING)
        except Refused as refused:
            self.refused(run, step, row, refused, "sqs", "SendMessage")
            return
        row.status = steprows.EXECUTING
        run.keep(row, self._clock.time())

    def _call(self, run: Run, step: Step, row: StepRow, known: Known) -> None:
        arguments, function = evaluate(step.arguments, known), evaluate(step.target, known)
        if self._is_spared(run, step, row, known, arguments, function):
            return
        row.status = steprows.EXECUTING
        row.state |= {"arguments": arguments, "function": function}
        row.state["metadata"] = {"Lambda": {"Arn": function}}
        run.keep(row, self._clock.time())

    def call(self, run: Run, row: StepRow) -> None:
        """The function of a Lambda step whose row is on the disk; nothing if it is under way."""
        state = row.state
        token = naming.request_token(run.arn, row.name, row.attempt)
        self._functions.call(
            Call(run.arn, row.name, row.attempt, run.behalf, state["function"], state["arguments"], token)
        )

    def _make(self, run: Run, step: Step, row: StepRow, known: Known) -> None:
        child = step.child
        assert child is not None
        plan = plan_child(run, step, row.attempt, known)
        found = self._children.find(run, step, plan, row.attempt)
        check = None
        if step.type == kinds.QUALITY_CHECK:
            check = quality.check_of(evaluate(step.target, known), plan.arguments)
            try:
                check = baselines.with_baseline(self._api, run, check, None if found is None else found.request)
            except baselines.Unanswered as unanswered:
                self.refused(run, step, row, unanswered.refused, "sagemaker", unanswered.operation)
                return
            plan = Plan(plan.name, quality.request_of(check, plan.arguments))
            row.state["check"] = check
        if found is None and child.cacheable and self._is_spared(run, step, row, known, plan.arguments, check):
            return
        row.state["child_name"] = plan.name
        if found is not None:
            arn = found.arn
        else:
            if child.tracked:
                self._children.ensure_tracking(run)
            try:
                arn = self._children.create(run, step, plan, row.attempt)
            except Refused as refused:
                self.refused(run, step, row, refused, "sagemaker", child.create)
                return
        row.status = steprows.EXECUTING
        row.state["child"] = arn
        row.state["metadata"] = {child.metadata: {"Arn": arn} if check is None else quality.metadata_of(check, arn)}
        if child.is_made_at_once:
            self.succeed(run, row, known, self._children.describe(run, step, arn, plan.name))
        else:
            run.keep(row, self._clock.time())

    def adopt(self, run: Run, step: Step, known: Known) -> StepRow | None:
        """What a server made before it died, where the step's row is not there: a stop must find it."""
        if step.child is None or step.child.token:
            return None
        attempt = run.attempts.get(step.name, 0)
        try:
            plan = plan_child(run, step, attempt, known)
        except Undefined:
            return None
        if self._children.find(run, step, plan, attempt) is None:
            return None
        return self.begin(run, step, known)

    # -- ends --------------------------------------------------------------------------------------------

    def made_well(self, run: Run, step: Step, row: StepRow, known: Rememberer, described: dict[str, Any]) -> None:
        """What the step has made has come to a good end, as ``described``."""
        if step.type != kinds.QUALITY_CHECK:
            self.succeed(run, row, known, described)
            return
        check = row.state["check"]
        properties, report = quality.properties_of(check), quality.report_of(check, described)
        told = properties if report is None else {**properties, "ViolationReport": report}
        row.state["metadata"] = {"QualityCheck": {**row.state["metadata"]["QualityCheck"], **told}}
        if report is not None and check["FailOnViolation"]:
            run.end(row, FAILED, self._clock.time(), reason=quality.reason_of(report))
        else:
            self.succeed(run, row, known, properties)

    def succeed(self, run: Run, row: StepRow, known: Rememberer, properties: dict[str, Any]) -> None:
        now = self._clock.time()
        known.remember(row.name, properties)
        key = row.state.get("cache_key")
        if key is not None and "cache_hit" not in row.state:
            row.state["kept"] = self._reuse.kept_by(properties)
            run.writes.append(lambda tx: note(tx, run, row.name, key, now))
        run.end(row, SUCCEEDED, now, properties)

    def _is_spared(
        self, run: Run, step: Step, row: StepRow, known: Known, arguments: dict[str, Any], target: Any
    ) -> bool:
        """Is there a run of before to take the result of?"""
        row.state["cache_key"] = key = caching.key_of(step, arguments, target)
        if step.expire_seconds is None or row.attempt:
            return False
        earlier = self._reuse.find(run, step, key, self._clock.time())
        if earlier is None:
            return False
        row.state |= taken_over(earlier)
        row.state["cache_hit"] = earlier.state.get("cache_hit") or earlier.request["PipelineExecutionArn"]
        self.succeed(run, row, known, earlier.state[PROPERTIES])
        return True

    def refused(self, run: Run, step: Step, row: StepRow, refused: Refused, service: str, operation: str) -> None:
        """A call that a step needs was refused: try again where a policy says so."""
        reason = _REFUSED.format(service=service, operation=operation, message=refused.message)
        self.failed(run, step, row, retrying.exception_of_refusal(refused.code), reason)

    def failed(self, run: Run, step: Step, row: StepRow, exception: str | None, reason: str) -> None:
        now = self._clock.time()
        child = step.child
        if exception == retrying.JOB_INTERNAL_ERROR and child is not None and not child.retries_jobs:
            exception = None
        policy = None if exception is None else retrying.policy_for(step.retries, exception)
        if exception is None or policy is None:
            if exception is not None:
                shown = exception.upper().replace(".", "_")
                reason += _NO_POLICY.format(execution=run.arn, step=step.name, exception=shown)
            run.end(row, FAILED, now, reason=reason)
            return
        counts = dict(row.state.get("retries", {}))
        pause = policy.pause(counts.get(exception, 0), now - row.state["started_at"])
        if pause is None:
            run.end(row, FAILED, now, reason=reason)
            return
        counts[exception] = counts.get(exception, 0) + 1
        row.status = steprows.STARTING
        row.state |= {"retries": counts, "attempt": row.attempt + 1, "retry_at": now + pause}
        row.state.pop("child", None)
        run.keep(row, now)

    def stopped(self, run: Run, row: StepRow, reason: str = "") -> None:
        run.end(row, STOPPED, self._clock.time(), reason=reason)


def taken_over(earlier: Record) -> dict[str, Any]:
    """What a step's row holds of a run of before whose result it has."""
    kept = ("metadata", "child", "child_name", "outcome", "kept")
    return {name: earlier.state[name] for name in kept if name in earlier.state}


def outputs_end(step: Step, row: StepRow, outputs: dict[str, Any]) -> dict[str, Any]:
    """The properties of a Callback or Lambda step that has been answered. Raises ``Invalid``."""
    unknown = [name for name in outputs if name not in step.outputs]
    if step.type == kinds.CALLBACK and unknown:
        raise Invalid(f"The step {step.name} has no output parameters called {', '.join(unknown)}.")
    return messages.outputs_as_properties(
        step, {name: value for name, value in outputs.items() if name in step.outputs}
    )
