"""``cloche up --fallback URL``: services that Cloche does not speak are passed on to a server that does.

Which requests: ``Fallback.takes``. How they travel: ``forwarding``. In whose name: ``resigning``. What is decided and
why stands in docs/decisions/0007-what-is-passed-on.md.
"""

from cloche.server.fallback.fallback import Fallback, prepare

__all__ = ["Fallback", "prepare"]
