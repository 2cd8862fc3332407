"""Bulk jobs: a table of any length in, the same table with its translations out, every row once and in order."""
