"""Entry point of the CDK CLI: ``python -m cdk.app``. Settings from the context, one stack, its checks.

Run as a module, never with this folder on ``sys.path``: ``cdk/constructs`` would hide the package ``constructs``.
"""

from __future__ import annotations

import os
import sys

import aws_cdk as cdk
import cdk_nag

from cdk.settings import StackSettings
from cdk.stack import CollectorStack
from spotlake.errors import ConfigurationError


def build(app: cdk.App) -> CollectorStack:
    """Make the stack from an app's context. Raises ConfigurationError naming the wrong setting."""
    settings = StackSettings.from_context(app.node.get_all_context())
    # Never an account: synth then asks AWS for nothing, and the CLI's account is taken at deploy.
    environment = cdk.Environment(region=settings.aws_region) if settings.aws_region else None
    return CollectorStack(app, settings.stack_name, settings=settings, env=environment)


def main() -> int:
    """Synthesise; a wrong setting ends with one sentence instead of a trace."""
    app = cdk.App()
    try:
        build(app)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    # Local runs go without: what they deploy has been checked by the tests.
    if os.environ.get("SPOTLAKE_NAG") == "1":
        cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
