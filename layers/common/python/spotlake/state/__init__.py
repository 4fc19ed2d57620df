"""What runs remember: one module per document of the bucket's ``state/azure/``."""
