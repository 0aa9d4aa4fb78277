#!/usr/bin/env python3
"""What crosses between protocols: every pair of AMQP, NATS and Redis with real clients, against expected.py, and
requests that are answered through another protocol. Writes docs/crossing.md from what it saw.

  run.py --binary build/release/wharf [--check]

With --check the page is not written; it is a failure if it would change. The last line is `N passed, M failed`;
the exit code is 1 if any failed. tests/interop/install.sh installs the clients.
"""

import argparse
import glob
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
INTEROP = os.path.join(ROOT, "tests", "interop")
PAGE = os.path.join(ROOT, "docs", "crossing.md")
sys.path.append(INTEROP)

# pylint: disable=wrong-import-position,import-outside-toplevel
import serve  # noqa: E402


def find_clients():
    """pika and redis-py are Debian's, for Debian's python3; nats-py stands in its own environment."""
    debian = "/usr/bin/python3"
    try:
        import pika.spec  # noqa: F401  pylint: disable=unused-import
        import redis.client  # noqa: F401  pylint: disable=unused-import
    except ImportError:
        if os.path.realpath(sys.executable) == os.path.realpath(debian):
            raise
        os.execv(debian, [debian, *sys.argv])
    sys.path.append(os.path.join(INTEROP, "lib"))
    sys.path += glob.glob(os.path.join(serve.CACHE, "nats-python", "lib", "python3*", "site-packages"))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="the wharf program")
    parser.add_argument("--check", action="store_true", help="do not write the page, compare it")
    return parser.parse_args()


def run_matrix(server):
    from clients import AMQP, NATS, REDIS
    from matrix import Matrix
    matrix = Matrix({AMQP: server.url, NATS: server.nats_url, REDIS: server.redis_url})
    matrix.run()
    matrix.close()
    return matrix


def run_requests(server):
    """The rows of the page, and what failed."""
    import answers
    rows, wrong = [], []
    for function in answers.CASES:
        rig = answers.Rig(server)
        try:
            rows.append(function(rig))
        except Exception as error:  # pylint: disable=broad-exception-caught
            wrong.append(f"{function.__name__}: {type(error).__name__}: {error}")
        finally:
            rig.close()
    return rows, wrong


def page_differs(text, check):
    """Writes the page, or says whether it would."""
    if not check:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(text)
        return False
    if not os.path.exists(PAGE):
        return True
    with open(PAGE, encoding="utf-8") as file:
        return file.read() != text


def main():
    args = parse()
    find_clients()
    import page
    server = serve.Wharf(args.binary)
    server.start()
    try:
        matrix = run_matrix(server)
        rows, wrong = run_requests(server)
    finally:
        complaint = server.stop()
    wrong = matrix.wrong + wrong + ([complaint] if complaint else [])
    passed = matrix.passed + len(rows)
    if page_differs(page.render(matrix.seen, rows), args.check):
        wrong.append("docs/crossing.md would change; run tests/crossing/run.py without --check and look at it")
    elif args.check:
        passed += 1
    for line in wrong:
        print(f"FAIL {line}")
    print(f"{passed} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
