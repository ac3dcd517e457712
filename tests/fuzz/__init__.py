"""Differential tests: random schemas, splits, data and SELECTs, answered by the library and by plain MySQL."""
