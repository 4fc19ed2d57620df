"""The embedded default: emulated AWS, simulated Azure, and the command line that ties them together."""
