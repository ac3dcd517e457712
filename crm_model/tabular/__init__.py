"""Rows as tables of text: CSV files, their headers, and their cells."""
