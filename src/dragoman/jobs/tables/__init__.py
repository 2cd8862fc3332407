"""Tables: planned as shards of rows, read row by row whatever is in them, written as parts and exported.

Only this package touches pyarrow. Importing it without the extra `jobs` raises MissingExtra.
"""

from dragoman.errors import MissingExtra

try:
    import pyarrow as pyarrow
except ModuleNotFoundError as error:
    raise MissingExtra("Jobs over tables", extra="jobs") from error
