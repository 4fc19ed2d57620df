"""Reading a synthesised template: resources by type, and intrinsic functions resolved as far as names go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

ACCOUNT, REGION = "111111111111", "us-west-2"
_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
    "AWS::StackId": "stack-id",
}
# Property that names a resource, and its ARN.
_NAMED = {
    "AWS::S3::Bucket": ("BucketName", "arn:aws:s3:::{}"),
    "AWS::DynamoDB::Table": ("TableName", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{{}}"),
    "AWS::Lambda::Function": ("FunctionName", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}"),
    "AWS::Logs::LogGroup": ("LogGroupName", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{}}:*"),
    "AWS::ECR::Repository": ("RepositoryName", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{{}}"),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{{}}"),
}

_REF_IS_ARN = ("AWS::StepFunctions::StateMachine",)  # CloudFormation template reference, return values, 2026-11


class Template:
    """One stack's template."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.resources: Mapping[str, Any] = content["Resources"]

    def of_type(self, kind: str) -> dict[str, Any]:
        """Properties by logical id."""
        return {name: one["Properties"] for name, one in self.resources.items() if one["Type"] == kind}

    def only(self, kind: str) -> Any:
        """The properties of the one resource of a type."""
        (properties,) = self.of_type(kind).values()
        return properties

    def resolve(self, value: Any) -> Any:
        """The value with Ref, Fn::GetAtt and Fn::Join replaced by texts."""
        if isinstance(value, list):
            return [self.resolve(one) for one in value]
        if not isinstance(value, Mapping):
            return value
        if set(value) == {"Ref"}:
            return _PSEUDO.get(value["Ref"]) or self._ref(value["Ref"])
        if set(value) == {"Fn::GetAtt"}:
            return self._arn(value["Fn::GetAtt"][0])
        if set(value) == {"Fn::Join"}:
            separator, parts = value["Fn::Join"]
            return separator.join(str(self.resolve(part)) for part in parts)
        return {key: self.resolve(one) for key, one in value.items()}

    def _ref(self, logical_id: str) -> str:
        is_arn = self.resources.get(logical_id, {}).get("Type") in _REF_IS_ARN
        return self._arn(logical_id) if is_arn else self._name(logical_id)

    def _name(self, logical_id: str) -> str:
        resource = self.resources.get(logical_id, {"Type": "", "Properties": {}})
        if resource["Type"] in _NAMED:
            return str(self.resolve(resource["Properties"][_NAMED[resource["Type"]][0]]))
        return logical_id

    def _arn(self, logical_id: str) -> str:
        kind = self.resources[logical_id]["Type"]
        form = _NAMED[kind][1] if kind in _NAMED else "arn:aws:other:::{}"
        return form.format(self._name(logical_id))

    def names(self) -> Iterator[tuple[str, str]]:
        """(type, name) of every resource that is given a name, as CloudFormation would call it."""
        for logical_id, resource in self.resources.items():
            if resource["Type"] == "AWS::IAM::Policy":
                continue  # an inline policy's name is its role's own affair
            for key, value in resource.get("Properties", {}).items():
                if key in ("Name", f"{resource['Type'].rsplit('::', 1)[1]}Name", "RoleName", "ManagedPolicyName"):
                    yield resource["Type"], str(self.resolve(value)) or logical_id
