"""``verify``: whether every row's two halves agree, and whether a migration's two sides are equal; and mending them."""
