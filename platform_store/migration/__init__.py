"""Data that moves: whole tables and collections between the stores, columns of a live table, and their verification."""
