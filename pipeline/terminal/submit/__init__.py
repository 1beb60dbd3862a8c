"""``clipready submit``, ``clipready jobs`` and ``clipready profiles refresh``."""
