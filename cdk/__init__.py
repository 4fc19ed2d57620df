"""The stack. Imported as a package from the repository's root: ``python -m cdk.app``.

The folder itself must not be on ``sys.path``, because ``cdk/constructs`` would hide the library ``constructs``.
"""
