"""Report: statistics and the page of a run."""
