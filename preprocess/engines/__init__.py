"""Carrying out plans. Runs in the worker only."""
