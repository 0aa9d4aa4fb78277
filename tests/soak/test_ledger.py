#!/usr/bin/env python3
"""The soak's own canary: each broken rule, fed by hand, must be noticed."""

import unittest

from ledger import Ledger, make_body


class LedgerTest(unittest.TestCase):
    def setUp(self):
        self.ledger, self.order = Ledger(1, 2), {}
        self.ledger.send(0, 10)

    def deliver(self, number, redelivered=False, queue=None, life=1, body=None):
        queue = number % 2 if queue is None else queue
        return self.ledger.deliver(life, self.order, queue, redelivered, body or make_body(0, number % 2, number, 100))

    def broken(self):
        return [rule for rule, found in self.ledger.broken.items() if found]

    def test_ordinary(self):
        self.ledger.confirm(0, 0, 9)
        for number in range(0, 10, 2):
            self.assertEqual(self.deliver(number), (0, number))
        self.assertEqual(self.ledger.lost(), [(0, number) for number in range(1, 10, 2)])
        self.assertEqual(self.broken(), [])

    def test_unconfirmed_is_not_lost(self):
        self.assertEqual(self.ledger.lost(), [])

    def test_flagged_duplicate(self):
        self.deliver(2)
        self.deliver(2, redelivered=True)
        self.assertEqual((self.ledger.flagged, self.broken()), (1, []))

    def test_unexplained_duplicate(self):
        self.deliver(2)
        self.deliver(2)
        self.assertEqual(self.broken(), ["unexplained duplicates"])

    def test_acked_returns_in_the_same_life(self):
        self.deliver(2)
        self.ledger.acked[0][2] = 1
        self.deliver(2, redelivered=True, life=2)
        self.assertEqual(self.broken(), [])
        self.ledger.acked[0][2] = 2
        self.deliver(2, redelivered=True, life=2)
        self.assertEqual(self.broken(), ["acked but came again in the same life"])

    def test_never_sent(self):
        self.deliver(10)
        self.deliver(2, queue=1)
        self.deliver(4, body=make_body(0, 0, 4, 100)[:-1] + b"?")
        self.deliver(6, body=b"junk")
        self.assertEqual(len(self.ledger.broken["never sent"]), 4)

    def test_out_of_order(self):
        self.deliver(4)
        self.deliver(2)
        self.assertEqual(self.broken(), ["out of order"])

    def test_redelivered_may_be_out_of_order(self):
        self.deliver(4)
        self.deliver(2, redelivered=True)
        self.assertEqual(self.broken(), [])


if __name__ == "__main__":
    unittest.main()
