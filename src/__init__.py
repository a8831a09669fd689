"""Health backend of a DePHY GPU node, as a library and as a server.

Embed `dstack_backend.domain`; run `dstack-backend`.
"""

__version__ = "1.0.0"
