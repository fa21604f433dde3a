"""The rows of bench/report.py.

row.py        what a row is
programs.py   builds, finds and runs what rows measure
registry.py   the groups of rows that --only chooses from
engine_*.py   the rows of group "engine"

To add a row: a Row in the list of its file. To add a group: a file with a
function that returns rows, and its line in registry.py.
"""
