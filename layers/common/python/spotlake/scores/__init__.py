"""All that is true of a placement score without a network (pure)."""
