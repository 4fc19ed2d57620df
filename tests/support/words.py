"""Words of a command line."""

from __future__ import annotations

import argparse


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
