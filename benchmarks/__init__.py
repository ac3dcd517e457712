"""The library against what a good engineer writes by hand, on real servers: ``python -m benchmarks --help``."""
