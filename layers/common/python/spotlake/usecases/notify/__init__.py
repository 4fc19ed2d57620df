"""Notify: failures and recoveries, each reported once."""
