"""Stores: S3 objects and DynamoDB tables, each with a twin in memory for tests."""
