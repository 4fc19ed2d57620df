"""Plan: decides what an execution does."""
