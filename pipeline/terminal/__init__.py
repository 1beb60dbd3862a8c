"""The command line behind its entry point: options, work, and how it is told."""
