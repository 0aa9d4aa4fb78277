"""pika suite: what a Python application does with a broker, ordinary work and errors."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

# pylint: disable=wrong-import-position,unused-import
import harness  # noqa: E402
from context import PikaContext  # noqa: E402

import cases_connection  # noqa: E402,F401
import cases_work  # noqa: E402,F401
import cases_routing  # noqa: E402,F401
import cases_queues  # noqa: E402,F401
import cases_settle  # noqa: E402,F401
import cases_confirm  # noqa: E402,F401
import cases_consumers  # noqa: E402,F401
import cases_limits  # noqa: E402,F401
import cases_dead  # noqa: E402,F401
import cases_rpc  # noqa: E402,F401
import cases_bodies  # noqa: E402,F401
import cases_quorum  # noqa: E402,F401

sys.exit(harness.main(PikaContext))
