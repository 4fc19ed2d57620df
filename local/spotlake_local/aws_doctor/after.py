"""What a deployed stack must have to work and to tell when it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from spotlake_local.aws_doctor.account import Account, Verdict, after_deployment, passed, to_do

_ECR = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/([^:@]+)[:@](.+)")


def _alarms(account: Account) -> Verdict:
    """Whether the topic that the alarms name lets CloudWatch publish."""
    if not account.is_deployed:
        return after_deployment()
    client = account.client("cloudwatch")
    pages = client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{account.stack}-")
    alarms = [one for page in pages for one in page["MetricAlarms"]]
    topics = sorted({topic for alarm in alarms for topic in alarm["AlarmActions"]})
    if not topics:
        return to_do("no alarm tells a topic: `make deploy` again")
    for topic in topics:
        policy = account.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
        if not any(_lets_alarms_publish(one) for one in json.loads(policy)["Statement"]):
            return to_do(f"alarms may not publish to {topic.rpartition(':')[2]}, so they are mute: `make deploy` again")
    return passed(f"{len(alarms)} alarms may publish")


def _lets_alarms_publish(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    services = principal.get("Service", ()) if isinstance(principal, dict) else ()
    actions = statement.get("Action", ())
    return (
        statement["Effect"] == "Allow"
        and "cloudwatch.amazonaws.com" in ([services] if isinstance(services, str) else services)
        and bool({"sns:Publish", "SNS:Publish"} & set([actions] if isinstance(actions, str) else actions))
    )


def _mail(account: Account) -> Verdict:
    if not account.is_deployed:
        return after_deployment()
    topics = set(account.named("AWS::SNS::Topic"))
    pages = account.client("sns").get_paginator("list_subscriptions").paginate()
    ours = [one for page in pages for one in page["Subscriptions"] if one["TopicArn"] in topics]
    if not ours:
        return to_do("nobody is told of faults: deploy with -c alert_email=ADDRESS")
    waiting = [one["Endpoint"] for one in ours if one["SubscriptionArn"] == "PendingConfirmation"]
    if waiting:
        return to_do(f"{waiting[0]} has not confirmed: open the link in the mail from SNS")
    return passed(", ".join(one["Endpoint"] for one in ours))


def _image(account: Account) -> Verdict:
    """Whether the image that the job definition names is in its repository."""
    if not account.is_deployed:
        return after_deployment()
    (arn,) = account.named("AWS::Batch::JobDefinition")
    name = arn.rpartition("/")[2].partition(":")[0]
    pages = account.client("batch").get_paginator("describe_job_definitions").paginate(jobDefinitionName=name)
    definitions = [one for page in pages for one in page["jobDefinitions"] if one["jobDefinitionArn"] == arn]
    image = str(definitions[0]["containerProperties"]["image"])
    match = _ECR.fullmatch(image)
    if not match:
        return passed(f"{image} (another registry: not looked at)")
    wanted = {"imageDigest": match[2]} if match[2].startswith("sha256:") else {"imageTag": match[2]}
    try:
        found = account.client("ecr").describe_images(repositoryName=match[1], imageIds=[wanted])["imageDetails"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ImageNotFoundException", "RepositoryNotFoundException"):
            raise
        found = []
    return passed(f"{match[1]}:{match[2]}") if found else to_do("full runs have no image: `make image`")


def _schedule(account: Account) -> Verdict:
    if not account.is_deployed:
        return after_deployment()
    state = account.client("scheduler").get_schedule(Name=f"{account.stack}-schedule")["State"]
    if state != "ENABLED":
        return to_do(
            "nothing runs by itself: deploy with -c schedule_enabled=true (after a pause: `spotlake ops resume`)"
        )
    return passed("on")


AFTER: tuple[tuple[str, Callable[[Account], Verdict]], ...] = (
    ("alarms", _alarms),
    ("mail", _mail),
    ("image", _image),
    ("schedule", _schedule),
)
