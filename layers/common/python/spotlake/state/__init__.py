"""Documents that runs leave for later runs: one module per document of the bucket's ``state/azure/``."""
