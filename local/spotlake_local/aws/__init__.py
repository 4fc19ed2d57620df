"""The emulated AWS: ministack in its own process, with ``patches`` for what ministack lacks.

Only this package knows the emulator; the product does not.
"""
