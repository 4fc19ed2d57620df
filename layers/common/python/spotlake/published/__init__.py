"""What the published data are, for programs that never saw this project (pure)."""
