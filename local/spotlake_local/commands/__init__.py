"""One module a command: ``add_parser(subparsers)`` says what it takes, ``command`` does it."""
