"""The parts of collecting placement scores: rights to send, sending, rows, asking again."""
