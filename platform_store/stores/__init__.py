"""The two halves: protocols in ``base``, MySQL or MariaDB, MongoDB, and the embedded pair."""
