# The C extension, as cext/build.py makes it from the headers in cext/: those say what is in `lib`.
from typing import Any

ffi: Any
lib: Any
