"""Clients of the Azure APIs: one HTTP client, one module an API (facts: docs/azure-apis.md)."""
