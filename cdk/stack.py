"""The stack: composes the constructs and the grants, and makes no resource itself."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.acknowledgements import acknowledge_all
from cdk.constructs.athena import Athena
from cdk.constructs.azure_identity import AzureIdentity, named_identity
from cdk.constructs.budget import Budget
from cdk.constructs.full_run_job import FullRunJob
from cdk.constructs.functions import Functions
from cdk.constructs.grants import grant_all
from cdk.constructs.isolation import production_boundary
from cdk.constructs.monitoring import Monitoring
from cdk.constructs.schedule import Schedule
from cdk.constructs.storage import Storage
from cdk.constructs.workflow import Workflow
from cdk.settings import StackSettings


class CollectorStack(cdk.Stack):
    """The whole stack: storage, functions, workflow, Batch job, schedule, monitoring."""

    def __init__(self, scope: Construct, name: str, *, settings: StackSettings, **options: Any) -> None:
        super().__init__(scope, name, **options)
        self.settings = settings = named_identity(self, settings)
        self.boundary = production_boundary(self, settings)
        iam.PermissionsBoundary.of(self).apply(self.boundary)
        if settings.running.azure_role_arn:
            AzureIdentity(self, "AzureIdentity", settings=settings)
        self.storage = Storage(self, "Storage", settings=settings)
        self.monitoring = Monitoring(self, "Monitoring", settings=settings)
        Athena(self, "Athena", settings=settings)
        Budget(self, "Budget", settings=settings)
        self.functions = Functions(self, "Functions", settings=settings, topic=self.monitoring.topic)
        self.job = FullRunJob(self, "FullRunJob", settings=settings)
        self.workflow = Workflow(self, "Workflow", settings=settings, functions=self.functions, job=self.job)
        self.schedule = Schedule(self, "Schedule", settings=settings, machine=self.workflow.machine)
        grant_all(
            settings=settings,
            storage=self.storage,
            functions=self.functions,
            job=self.job,
            workflow=self.workflow,
            topic=self.monitoring.topic,
        )
        self.monitoring.watch(self.workflow.machine, self.functions, self.schedule.dead_letters)
        acknowledge_all(self)
        self._add_outputs()

    def _add_outputs(self) -> None:
        machine_arn = self.workflow.machine.state_machine_arn
        outputs = {
            "StateMachineArn": machine_arn,
            "WriteBucket": self.settings.running.write_bucket,
            "WorkloadTable": self.settings.running.workload_table,
            "JobQueueArn": self.job.queue.job_queue_arn,
            "ImageUri": self.job.image_uri,
            "StartByHand": f"aws stepfunctions start-execution --state-machine-arn {machine_arn} --input '{{}}'",
            "LookAt": f"https://{self.region}.console.aws.amazon.com/states/home#/statemachines/view/{machine_arn}",
        }
        if self.settings.running.azure_role_arn:
            outputs["AzureSubject"] = self.settings.running.azure_role_arn
        if self.job.image_build:
            outputs["ImageProject"] = self.job.image_build.project_name
            outputs["FullRunsNeed"] = (
                "an image at ImageUri: `make image` builds it, here or in AWS (`make deploy` has done so); "
                "or deploy with -c image_uri=REPOSITORY:TAG"
            )
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
