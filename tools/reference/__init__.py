"""Makes docs/reference/ from docstrings, the command line's parsers, the table of settings and the log's messages."""
