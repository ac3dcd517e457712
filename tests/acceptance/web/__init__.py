"""The web example, page by page, on the embedded pair and on real servers."""
