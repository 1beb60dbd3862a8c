"""A service that takes uploads and a worker that makes clips of them; see docs/submit.md."""
