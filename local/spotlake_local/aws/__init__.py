"""The emulated AWS: ministack in a process of its own, with what it lacks closed by ``seams``.

Everything about the emulator stays in this package; the product knows nothing of it.
"""
