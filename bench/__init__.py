"""
What presproxy costs, measured beside other servers in the same run.

``python -m bench`` starts each server privately on the loopback, loads it with the
driver in ``bench/load``, and prints a table.  How to read it is told in
``docs/explanation/performance.rst``.
"""
