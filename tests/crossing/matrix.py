"""Sends every row of expected.py in every way and says what became of it."""

import expected
from clients import AMQP, CLIENTS, NATS, PROTOCOLS, REDIS, REPLY_TO

HEARD_SECONDS, SILENT_SECONDS = 10, 0.3
LONG, LONG_SHOWN = 64, 20
PAIRS = [(sender, receiver) for sender in PROTOCOLS for receiver in PROTOCOLS]


def short(text):
    raw = text.encode()
    text = text if len(raw) <= LONG else f"{raw[:LONG_SHOWN].decode(errors='ignore')}... ({len(raw)} bytes)"
    return text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t").replace("\0", "\\0")


def shown(items):
    def one(item):
        place, kind, text = item
        if place == REPLY_TO:
            return f"{place} `{short(text)}`"
        return f"{short(place)}: {kind} `{short(text)}`" if text else f"{short(place)}: {kind}, empty"
    return "; ".join(map(one, sorted(items)))


def became(said, got):
    """Both are lists of items."""
    if sorted(said) == sorted(got):
        return "same"
    return f"changed: {shown(got)}" if got else "lost"


def rendered(protocol, name):
    """A name of expected.NAMES as a protocol writes it."""
    return name[2] if protocol == NATS else name[1]


class Matrix:
    """`seen` is {table: [(row title, {(column): cell})]}, in the order of the data; `wrong` lists what differs from it."""

    def __init__(self, urls):
        self.clients = {protocol: CLIENTS[protocol](urls[protocol]) for protocol in PROTOCOLS}
        self.seen, self.wrong, self.passed, self.listeners = {}, [], 0, {}

    def close(self):
        for client in self.clients.values():
            client.close()

    def listen(self, name):
        """Opens every way of hearing a name: (title, canonical, NATS) as in expected.NAMES."""
        for protocol in PROTOCOLS:
            for way in CLIENTS[protocol].HEARING:
                self.listeners[protocol, way] = self.clients[protocol].hear(way, rendered(protocol, name))

    def unlisten(self):
        for listener in self.listeners.values():
            listener.close()
        self.listeners = {}

    def send(self, sender, way, name, body=b"", said=None):
        """What each way of hearing got: {(protocol, way): Heard or None}."""
        self.clients[sender].publish(way, rendered(sender, name), body, said)
        silent = expected.NOT_HEARD[sender, way]
        return {key: listener.next(SILENT_SECONDS if key in silent else HEARD_SECONDS)
                for key, listener in self.listeners.items() if key not in silent}

    def crossings(self, sender, name, judge, body=b"", said=None):
        """One cell for each receiving protocol; where ways part, all that they saw."""
        cells = {protocol: {} for protocol in PROTOCOLS}
        for way in CLIENTS[sender].WAYS:
            for (protocol, hearing), heard in self.send(sender, way, name, body, said).items():
                cell = judge(protocol, hearing, heard) if heard else "not heard"
                cells[protocol].setdefault(cell, []).append(f"{way} to {hearing}")
        return {protocol: next(iter(ways)) if len(ways) == 1 else
                " / ".join(f"{cell} ({', '.join(by)})" for cell, by in ways.items())
                for protocol, ways in cells.items()}

    def note(self, table, title, cells, want):
        self.seen.setdefault(table, []).append((title, cells))
        for column, cell in cells.items():
            if cell == want[column]:
                self.passed += 1
                continue
            label = " to ".join(column) if isinstance(column, tuple) else column
            self.wrong.append(f"{table}, {title}, {label}: {cell}, expected {want[column]}")

    # ---- the tables

    def who_hears(self):
        name = ("", "crossing.who.hears", "crossing.who.hears")
        self.listen(name)
        for sender in PROTOCOLS:
            for way in CLIENTS[sender].WAYS:
                silent = expected.NOT_HEARD[sender, way]
                self.clients[sender].publish(way, name[1], b"x")
                cells, want = {}, {}
                for key, listener in self.listeners.items():
                    heard = listener.next(SILENT_SECONDS if key in silent else HEARD_SECONDS)
                    cells[key], want[key] = "yes" if heard else "no", "no" if key in silent else "yes"
                self.note("who", f"{sender} {way}", cells, want)
        self.unlisten()

    def bodies(self):
        name = ("", "crossing.bodies", "crossing.bodies")
        self.listen(name)
        for title, body in expected.BODIES:
            def judge(_protocol, _way, heard, body=body):
                return "same" if heard.body == body else f"changed: {len(heard.body)} bytes"
            self.all_pairs("bodies", title, lambda sender, judge=judge, body=body:
                           self.crossings(sender, name, judge, body), lambda *_: "same")
        self.unlisten()

    def all_pairs(self, table, title, cross, want):
        cells = {}
        for sender in PROTOCOLS:
            cells.update({(sender, receiver): cell for receiver, cell in cross(sender).items()})
        self.note(table, title, cells, {pair: want(*pair) for pair in cells})

    def names(self):
        for name in expected.NAMES:
            self.listen(name)

            def judge(_protocol, _way, heard, name=name):
                return "same" if heard.name == name[1] else f"changed: `{short(heard.name)}`"

            def want(_sender, receiver, name=name):
                text = rendered(receiver, name)
                return "same" if text == name[1] else f"changed: `{short(text)}`"
            self.all_pairs("names", f"{name[0]}: `{short(name[1])}`", lambda sender, name=name, judge=judge:
                           self.crossings(sender, name, judge), want)
            self.unlisten()

    def long_name(self):
        """AMQP cannot say it, but it can hear it through `#`."""
        name = expected.TOO_LONG
        listeners = {AMQP: self.clients[AMQP].hear("binding with #", name)}
        listeners.update({protocol: self.clients[protocol].hear(way, name)
                          for protocol, way in ((NATS, "subject"), (REDIS, "channel"))})
        cells = {}
        for sender in (NATS, REDIS):
            self.clients[sender].publish(CLIENTS[sender].WAYS[0], name, b"")
            for receiver, listener in listeners.items():
                heard = listener.next(HEARD_SECONDS)
                cells[sender, receiver] = "not heard" if not heard else "same" if heard.name == name else \
                    f"changed: `{short(heard.name)}`"
        want = {pair: f"changed: `{short(name[:255])}`" if pair[1] == AMQP else "same" for pair in cells}
        self.note("names", f"300 bytes: `{short(name)}`", cells, want)
        for listener in listeners.values():
            listener.close()

    def said(self):
        """Properties and headers: what a message that says nothing shows anyway is not counted again."""
        name = ("", "crossing.said", "crossing.said")
        self.listen(name)
        plain = {}

        def judge_plain(protocol, way, heard):
            plain[protocol, way] = heard.items
            return became([], heard.items)
        for sender, tables in ((AMQP, (("AMQP properties", expected.AMQP_PROPERTIES),
                                       ("AMQP headers", expected.AMQP_HEADERS))),
                               (NATS, (("NATS properties", expected.NATS_PROPERTIES),
                                       ("NATS headers", expected.NATS_HEADERS))),
                               (REDIS, (("Redis", ()),))):
            cells = self.crossings(sender, name, judge_plain)
            self.note(tables[0][0], "nothing", cells,
                      {receiver: expected.NOTHING.get((sender, receiver), "same") for receiver in cells})
            for table, rows in tables:
                for row in rows:
                    items = self.clients[sender].said_items(row.said)

                    def judge(protocol, way, heard, items=items):
                        return became(items, [item for item in heard.items if item not in plain[protocol, way]])
                    cells = self.crossings(sender, name, judge, said=row.said)
                    self.note(table, row.title, cells, {each: row.expected(sender, each) for each in cells})
        self.unlisten()

    def run(self):
        self.who_hears()
        self.bodies()
        self.names()
        self.long_name()
        self.said()
