"""Access suite: TLS, certificates, users, vhosts, permissions and limits, on servers that it configures itself."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

# pylint: disable=wrong-import-position,unused-import
import harness  # noqa: E402
import servers  # noqa: E402
from context import AccessContext  # noqa: E402

import cases_rights  # noqa: E402,F401
import cases_tls  # noqa: E402,F401
import cases_strict  # noqa: E402,F401


def begin(args):
    AccessContext.servers = servers.Servers(args.name, args.binary)
    return AccessContext.servers.stop


sys.exit(harness.main(AccessContext, begin))
