"""Clients of the Azure APIs: one HTTP client, and one module per API."""
