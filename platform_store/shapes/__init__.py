"""Documents of any BSON as rows of a MySQL table, and back to the last byte. Pure: no store is known here."""
