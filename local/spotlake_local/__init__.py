"""Local runs: emulated AWS, simulated Azure, and the command line."""
