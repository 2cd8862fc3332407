"""Benches: each measures two things in the same run and prints their ratio, good or bad. None is part of the tests."""
