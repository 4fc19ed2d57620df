"""Words that a command of the tests takes and says."""

from __future__ import annotations

import argparse
import secrets
import sys


def whole_number(word: str, *, least: int) -> int:
    """A number of a command line; argparse puts the name of the field before the message.

    >>> whole_number("12", least=0)
    12
    """
    try:
        number = int(word)
    except ValueError:
        number = least - 1
    if number < least:
        message = f"{word!r} is not allowed: a whole number, {least} or more"
        raise argparse.ArgumentTypeError(message)
    return number


def seed_of(given: int | None) -> int:
    """The seed that was given, or else a new one."""
    return secrets.randbelow(2**32) if given is None else given


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
