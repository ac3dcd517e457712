"""Made-up customers of a telecom operator and all that belongs to them: always the same, in two sizes.

``rows(size, table)`` gives the rows of a table, ``load(platform, size)`` writes them. Beside what is drawn at random
there are planted rows that each of :mod:`crm_model.queries` must find. A few in a hundred rows are as bad as real ones:
duplicates, missing values beside nulls, values of a wrong type, tied times, characters of four bytes.
"""

from crm_model.sample.load import TABLES, Progress, Sample, count, load, rows
from crm_model.sample.sizes import SIZES, M, S, Size

__all__ = ["SIZES", "TABLES", "M", "Progress", "S", "Sample", "Size", "count", "load", "rows"]
