"""Compiler flags of Lockstep's own code (generated code goes without the warnings)."""

LOCKSTEP_COPTS = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fopenmp",
]
