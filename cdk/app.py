"""Entry point of the CDK CLI: ``python -m cdk.app``. Reads the settings, makes the stack, checks it.

Run as a module, never with this folder on ``sys.path``, because ``cdk/constructs`` would hide ``constructs``.
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
    """Make the stack from an app's context. Raises ConfigurationError that names a wrong setting."""
    settings = StackSettings.from_context(app.node.get_all_context())
    # No account is given. So synth asks AWS for nothing, and deploy uses the account of the CLI.
    environment = cdk.Environment(region=settings.aws_region) if settings.aws_region else None
    return CollectorStack(app, settings.stack_name, settings=settings, env=environment)


def main() -> int:
    """Synthesise. A wrong setting ends with one sentence and no traceback."""
    app = cdk.App()
    try:
        build(app)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    # Local runs skip the checks, because tests check the stack that they deploy.
    if os.environ.get("SPOTLAKE_NAG") == "1":
        cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
