"""Builds the full run's image inside AWS, from the deployed source, for machines without a container engine."""

from __future__ import annotations

import json

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from cdk.constructs.functions import ROOT, retention
from cdk.constructs.isolation import own_service
from cdk.settings import StackSettings
from spotlake_local.image_source import DOCKERFILE, content_tag

# Files that the Dockerfile copies, and the Dockerfile.
IMAGE_SOURCES = ("functions/full_run/**", "layers/common/python/**", "pyproject.toml", "uv.lock", ".python-version")
_MINUTES = 30  # longest build; one takes about four minutes (assumed: no build ran on AWS)
# The machine has the architecture of the Batch fleet, so nothing is emulated (CodeBuild user guide, "Build environment
# compute modes and types" and "Docker images provided by CodeBuild", read 2026-11).
_MACHINES = {
    "arm64": ("ARM_CONTAINER", "aws/codebuild/amazonlinux-aarch64-standard:3.0"),
    "x86_64": ("LINUX_CONTAINER", "aws/codebuild/amazonlinux-x86_64-standard:5.0"),
}
# CodeBuild user guide, "Amazon ECR sample", and ECR user guide, "IAM permissions for pushing"; read 2026-11.
_PUSHES = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
_BUILDSPEC = {
    "version": 0.2,
    "phases": {
        "pre_build": {
            "commands": [
                'aws ecr get-login-password | docker login --username AWS --password-stdin "${REPOSITORY%%/*}"',
            ]
        },
        "build": {
            "commands": [
                f'docker build --file {DOCKERFILE} --tag "$REPOSITORY:$TAG" .',
                'docker push "$REPOSITORY:$TAG"',
            ]
        },
    },
}


class ImageBuild(Construct):
    """The CodeBuild project, its source, its role and its log."""

    def __init__(
        self, scope: Construct, name: str, *, settings: StackSettings, repository: ecr.IRepository, uri: str
    ) -> None:
        super().__init__(scope, name)
        self.project_name = f"{settings.stack_name}-image"
        source = assets.Asset(
            self, "Source", path=str(ROOT), exclude=["*", *(f"!{path}" for path in IMAGE_SOURCES), "**/__pycache__"]
        )
        log = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/codebuild/{self.project_name}",
            retention=retention(settings.log_retention_days),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.role = self._build_role(source, repository, log)
        kind, image = _MACHINES[settings.architecture]
        variables = {"REPOSITORY": uri, "TAG": content_tag(ROOT)}
        project = codebuild.CfnProject(
            self,
            "Project",
            name=self.project_name,
            description="Builds the image of full runs from the deployed source (make image)",
            service_role=self.role.role_arn,
            source=codebuild.CfnProject.SourceProperty(
                type="S3",
                location=f"{source.s3_bucket_name}/{source.s3_object_key}",
                build_spec=json.dumps(_BUILDSPEC, indent=1),
            ),
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="NO_ARTIFACTS"),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type=kind,
                image=image,
                compute_type="BUILD_GENERAL1_SMALL",
                privileged_mode=True,  # docker build needs it
                environment_variables=[
                    codebuild.CfnProject.EnvironmentVariableProperty(name=variable, value=value)
                    for variable, value in variables.items()
                ],
            ),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=log.log_group_name
                )
            ),
            timeout_in_minutes=_MINUTES,
            queued_timeout_in_minutes=_MINUTES,
        )
        # CodeBuild looks at the role's rights when the project is made.
        project.node.add_dependency(self.role)

    def _build_role(self, source: assets.Asset, repository: ecr.IRepository, log: logs.LogGroup) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=own_service(self, "codebuild.amazonaws.com"))
        log.grant_write(role)
        bucket = source.bucket
        for actions, resource in (
            (["s3:GetObject", "s3:GetObjectVersion"], bucket.arn_for_objects(source.s3_object_key)),
            (["s3:GetBucketAcl", "s3:GetBucketLocation"], bucket.bucket_arn),
            (list(_PUSHES), repository.repository_arn),
            (["ecr:GetAuthorizationToken"], "*"),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
        return role
