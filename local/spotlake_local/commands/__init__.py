"""One module per command: ``add_parser(subparsers)`` declares the arguments, ``command`` runs the command."""
