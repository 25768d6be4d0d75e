"""Whether a queue takes what one of AWS's services sends to it.

Within an account a queue takes what its account's rules and topics send, as everywhere in Cloche until identity
policies are enforced; another account's queue needs a policy that lets the service in, as on AWS
(docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions,
docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html).
"""

from __future__ import annotations

from cloche.engines.identity.policy import Outcome, Principal, Request, compile_document
from cloche.engines.identity.policy.resource import evaluate_resource_policy
from cloche.engines.queues import Queue
from cloche.foundation.errors import Denied


def require_let_in(queue: Queue, service: str, account: str, source_arn: str) -> None:
    """Raises ``Denied``. ``account`` is the sender's, ``source_arn`` its rule or topic."""
    if queue.account == account:
        return
    text = queue.attributes.get("Policy")
    if text:
        context = {"aws:sourcearn": (source_arn,), "aws:sourceaccount": (account,)}
        request = Request("sqs:SendMessage", queue.arn, context)
        who = Principal(service=service)
        if evaluate_resource_policy(compile_document(text), who, request) is Outcome.ALLOWED:
            return
    raise Denied(f"The policy of {queue.arn} does not let {service} send to it.")
