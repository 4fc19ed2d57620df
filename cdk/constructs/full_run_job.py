"""The full run: a Batch job on spot machines, which continues on another machine when its own is taken away."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.constructs.functions import ROOT, retention
from cdk.constructs.image_build import IMAGE_SOURCES, ImageBuild
from cdk.constructs.isolation import own_service
from cdk.settings import StackSettings
from spotlake.errors import ConfigurationError
from spotlake.usecases.full_run.exit_codes import RECLAIMED
from spotlake_local.image_source import content_tag

ATTEMPTS = 5
# An image for two architectures is a tagged list and untagged images, which ECR keeps as long as the list (ECR user
# guide, "Automate the cleanup of images by using lifecycle policies", read 2026-11). So tagged lists alone are counted.
_LIFECYCLE = [
    ecr.LifecycleRule(tag_status=ecr.TagStatus.TAGGED, tag_pattern_list=["*"], max_image_count=20),
    ecr.LifecycleRule(tag_status=ecr.TagStatus.UNTAGGED, max_image_age=cdk.Duration.days(7)),
]
# Batch chooses among the families that the region has. AWS would refuse a family that the region lacks.
_FAMILIES = {"arm64": batch.DefaultInstanceClass.ARM64, "x86_64": batch.DefaultInstanceClass.X86_64}
# Batch lets a job wait for a machine without limit. The attempt's time-out begins only with a machine
# (docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html, read 2026-11).
_WAIT_FOR_MACHINE = cdk.Duration.minutes(15)
# Without this setting a container gets no signal two minutes before its spot machine is taken away
# (docs.aws.amazon.com/AmazonECS/latest/developerguide/spot-instance-draining-linux-container.html, read 2026-11).
_DRAINING = "#!/bin/bash\necho ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >> /etc/ecs/ecs.config"
_LAST_SECONDS = 120  # seconds of an attempt to store unfinished work before Batch ends it
_PLATFORMS = {"arm64": ecr_assets.Platform.LINUX_ARM64, "x86_64": ecr_assets.Platform.LINUX_AMD64}


class FullRunJob(Construct):
    """Compute environment, queue, job definition and their roles."""

    def __init__(self, scope: Construct, name: str, *, settings: StackSettings) -> None:
        super().__init__(scope, name)
        self._settings = settings
        self.definition_name = f"{settings.stack_name}-collection-job"
        self.vpc, subnets = self._build_network()
        self.environment = self._build_environment(subnets)
        self.queue = batch.JobQueue(
            self,
            "Queue",
            job_queue_name=f"{settings.stack_name}-job-queue",
            compute_environments=[batch.OrderedComputeEnvironment(compute_environment=self.environment, order=1)],
            job_state_time_limit_actions=[
                batch.JobStateTimeLimitAction(
                    max_time=_WAIT_FOR_MACHINE,
                    reason=reason,
                    state=batch.JobStateTimeLimitActionsState.RUNNABLE,
                )
                for reason in batch.JobStateTimeLimitActionsReason
            ],
        )
        self.image_build: ImageBuild | None = None
        self.repository: ecr.Repository | None = None
        self.image_uri, image = self._find_image()
        self.job_role = iam.Role(self, "JobRole", assumed_by=own_service(self, "ecs-tasks.amazonaws.com"))
        self.definition = self._build_definition(image)

    def _build_network(self) -> tuple[ec2.IVpc, ec2.SubnetSelection]:
        settings = self._settings
        if settings.vpc_id:
            vpc = ec2.Vpc.from_vpc_attributes(
                self, "Vpc", vpc_id=settings.vpc_id, availability_zones=["unknown"] * len(settings.subnet_ids)
            )
            subnets = [ec2.Subnet.from_subnet_id(self, f"Subnet{one}", one) for one in settings.subnet_ids]
            return vpc, ec2.SubnetSelection(subnets=subnets)
        # Public subnets and no NAT gateway, which would cost more than the rest of the stack.
        own = ec2.Vpc(
            self,
            "Vpc",
            max_azs=3,
            nat_gateways=0,
            restrict_default_security_group=False,
            subnet_configuration=[ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)],
            # Free of charge, and what is collected stays in AWS's network.
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
        )
        return own, ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)

    def _build_environment(self, subnets: ec2.SubnetSelection) -> batch.ManagedEc2EcsComputeEnvironment:
        settings = self._settings
        group = ec2.SecurityGroup(
            self, "NoIngress", vpc=self.vpc, description="Out to the APIs, nothing in", allow_all_outbound=False
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "Azure, AWS and the image")
        # It makes a role of its own for the machines, with AWS's managed policy for them.
        return batch.ManagedEc2EcsComputeEnvironment(
            self,
            "Environment",
            compute_environment_name=f"{settings.stack_name}-compute-env",
            vpc=self.vpc,
            vpc_subnets=subnets,
            security_groups=[group],
            spot=True,
            allocation_strategy=batch.AllocationStrategy.SPOT_PRICE_CAPACITY_OPTIMIZED,
            default_instance_classes=[_FAMILIES[settings.architecture]],
            launch_template=self._build_launch_template(),
            minv_cpus=0,
            maxv_cpus=settings.batch_max_vcpus,
        )

    def _build_launch_template(self) -> ec2.LaunchTemplate:
        # Batch adds its own part, so the user data must be multipart.
        parts = ec2.MultipartUserData()
        parts.add_part(ec2.MultipartBody.from_user_data(ec2.UserData.custom(_DRAINING)))
        return ec2.LaunchTemplate(self, "Machines", user_data=parts, require_imdsv2=True)

    def _find_image(self) -> tuple[str, ecs.ContainerImage]:
        if self._settings.image_from_dockerfile:
            return "built from functions/full_run/Dockerfile", ecs.ContainerImage.from_asset(
                str(ROOT),
                file="functions/full_run/Dockerfile",
                exclude=["*", *(f"!{path}" for path in IMAGE_SOURCES), "**/__pycache__"],
                platform=_PLATFORMS[self._settings.architecture],
            )
        if self._settings.image_uri:
            uri = self._settings.image_uri
            return uri, ecs.ContainerImage.from_registry(uri)
        repository = self.repository = ecr.Repository(
            self,
            "Repository",
            repository_name=f"{self._settings.stack_name}-full-run",
            image_scan_on_push=True,
            # What a tag names can never be replaced, so a job runs what its definition was deployed with.
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            lifecycle_rules=_LIFECYCLE,
            removal_policy=cdk.RemovalPolicy.DESTROY,
            empty_on_delete=True,
        )
        self.image_build = ImageBuild(
            self, "ImageBuild", settings=self._settings, repository=repository, uri=repository.repository_uri
        )
        tag = content_tag(ROOT)
        return f"{repository.repository_uri}:{tag}", ecs.ContainerImage.from_ecr_repository(repository, tag)

    def _narrow_machines(self, group: logs.LogGroup) -> None:
        """Take from the machines' role what the managed policy allows of other people's logs and images.

        The policy allows both everywhere (AWS managed policy reference, AmazonEC2ContainerServiceforEC2Role, read
        2026-11). Denials cannot lack what a later ECS agent needs, as a list of allowed actions could.
        """
        role = self.environment.instance_role
        if role is None:
            raise ConfigurationError("the Batch environment has no role for its machines")
        elsewhere = [(["logs:CreateLogStream", "logs:PutLogEvents"], group.log_group_arn)]
        if self.repository:
            pulls = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
            elsewhere.append((pulls, self.repository.repository_arn))
        for actions, own in elsewhere:
            statement = iam.PolicyStatement(effect=iam.Effect.DENY, actions=actions, not_resources=[own])
            role.add_to_principal_policy(statement)

    def _build_definition(self, image: ecs.ContainerImage) -> batch.EcsJobDefinition:
        settings = self._settings
        group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/batch/{settings.stack_name}-full-run",
            retention=retention(settings.log_retention_days),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self._narrow_machines(group)
        execution_role = iam.Role(self, "ExecutionRole", assumed_by=own_service(self, "ecs-tasks.amazonaws.com"))
        group.grant_write(execution_role)
        container = batch.EcsEc2ContainerDefinition(
            self,
            "Container",
            image=image,
            cpu=settings.batch_vcpus,
            memory=cdk.Size.mebibytes(settings.batch_memory_mb),
            command=["python", "-m", "full_run", "--run", "Ref::run"],
            environment={
                **settings.running.to_environment(),
                "LOG_LEVEL": settings.log_level,
                "FULL_RUN_SECONDS": str(settings.batch_timeout_seconds - _LAST_SECONDS),
            },
            execution_role=execution_role,
            job_role=self.job_role,
            readonly_root_filesystem=True,
            logging=ecs.LogDriver.aws_logs(stream_prefix="full-run", log_group=group),
        )
        return batch.EcsJobDefinition(
            self,
            "Definition",
            job_definition_name=self.definition_name,
            # An execution that began before a deployment reaches this state with the revision of then.
            skip_deregister_on_update=True,
            container=container,
            parameters={"run": "{}"},
            timeout=cdk.Duration.seconds(settings.batch_timeout_seconds),
            retry_attempts=ATTEMPTS,
            retry_strategies=[
                batch.RetryStrategy.of(batch.Action.RETRY, batch.Reason.SPOT_INSTANCE_RECLAIMED),
                batch.RetryStrategy.of(batch.Action.RETRY, batch.Reason.custom(on_exit_code=str(RECLAIMED))),
                # Without a last rule that matches everything, Batch retries whatever matches no rule.
                batch.RetryStrategy.of(batch.Action.EXIT, batch.Reason.custom(on_reason="*")),
            ],
            propagate_tags=True,
        )
