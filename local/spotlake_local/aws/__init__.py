"""The emulated AWS: ministack in a process of its own, with what it lacks closed by ``patches``.

Everything about the emulator stays in this package; the product knows nothing of it.
"""
