"""The page of a run: what is shown (``facts``, ``figures``) and how (``page``, with the files beside it)."""
