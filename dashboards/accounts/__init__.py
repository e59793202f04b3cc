"""Accounts of those who look at the numbers: kept apart, sealed, under a key of their own."""
