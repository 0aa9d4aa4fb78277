"""Raw-socket suite: what a server says to right and wrong frames, byte by byte."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

# pylint: disable=wrong-import-position,unused-import
import harness  # noqa: E402
from context import RawContext  # noqa: E402

import cases_login  # noqa: E402,F401
import cases_frames  # noqa: E402,F401
import cases_soft  # noqa: E402,F401
import cases_hard  # noqa: E402,F401
import cases_precedence  # noqa: E402,F401
import cases_refused  # noqa: E402,F401
import cases_order  # noqa: E402,F401
import cases_types  # noqa: E402,F401

sys.exit(harness.main(RawContext))
