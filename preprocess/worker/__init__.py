"""The only place where bytes from strangers are parsed: a child process, and how to speak to it.

The caller's side is ``client`` (borrow a worker), ``handle`` (call one), ``process`` (start, kill)
and ``failures`` (say what happened); it imports neither PyAV nor Pillow. The child's side is
``__main__``, ``limits`` and ``operations``. Both know ``protocol``.
"""
