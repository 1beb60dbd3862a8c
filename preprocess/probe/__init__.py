"""Measuring files. Runs in the worker only: everything here reads strangers' bytes."""
