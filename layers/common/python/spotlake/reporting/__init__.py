"""The page of a run: its content (``facts``, ``figures``, ``verdict``) and its form (``page``)."""
