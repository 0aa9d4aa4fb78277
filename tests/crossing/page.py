"""docs/crossing.md, made of what the matrix saw."""

from clients import CLIENTS, PROTOCOLS
from matrix import PAIRS

INTRO = """# What crosses between protocols

Made by `tests/crossing/run.py` from what real clients (pika, nats-py, redis-py) saw; do not edit. `./dev test crossing`
fails where the broker or this page differs from what is expected.

Every row was published in each way of its sender and heard in each way of the receiver that hears it: they agree
where a cell says one thing. `same`: as it was said. `changed`: what the receiver sees instead. `lost`: the receiver sees
nothing of it. `-`: the sender cannot say it.
"""

WHO = """## Who hears a publish

The published name is also the name of the queue, the binding's key (amq.topic), the subject, the channel. A wildcard
stands for the last segment (`*`), the beginning of the pattern is that of the name.
"""

BODIES = """## Bodies
"""

NAMES = """## Names

A name is a list of segments with `.` between. AMQP and Redis write it byte for byte; NATS escapes what a subject
cannot hold, and reads the escape as the same name: its clients publish in that form. The name is shown in AMQP's form, and
a cell is `same` where the receiver sees exactly that. AMQP has no names above 255 bytes: such a routing key is cut off
when it is shown, its queue got the message all the same.
"""

SAID = {
    "AMQP properties": """## Properties, said by AMQP

Redis has a name and a body and nothing else. NATS has a reply subject and headers; each property that it has no place for
is a header there. Whether a message is persistent says nothing to a live subscriber. AMQP counts time in seconds;
one that can only be meant in milliseconds is not guessed at.
""",
    "AMQP headers": """## Headers, said by AMQP

NATS headers are text. What text cannot carry is there in base64, under the header's name with `-Base64` behind it:
bytes as they are; decimals, arrays and tables in AMQP's own encoding of the value, without its letter. A timestamp is
in milliseconds since 1970.
""",
    "NATS properties": """## Properties, said by NATS

The headers that stand for AMQP's properties become those again. They tell the receiver what the sender said and are
not in force: a message does not expire by `Expiration`, nor overtake others by `Priority`. `User-Id` stays a header,
because readers of AMQP's `user_id` may rely on the broker having checked it. AMQP counts time in seconds.
""",
    "NATS headers": """## Headers, said by NATS

An AMQP table has each name once: a header that is repeated is an array of its values, at the first one's place. A name
above 255 bytes does not fit into a table, and all of it must fit into one frame (128 KiB, or what the receiver asked
for): headers that do not are left out, the others and the body are there.
""",
    "Redis": """## Said by Redis

A Redis message is a name and a body. Queues keep it, as they keep those of NATS, as a persistent message.
""",
}

RPC = """## Requests and answers

| asked by | through | answered by | seen |
|---|---|---|---|
"""


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def render(seen, rpc):
    hearing = [(protocol, way) for protocol in PROTOCOLS for way in CLIENTS[protocol].HEARING]
    parts = [INTRO, WHO, table(["published by", *(f"{protocol} {way}" for protocol, way in hearing)],
                               [[title, *(cells[key] for key in hearing)] for title, cells in seen["who"]])]
    for text, key in ((BODIES, "bodies"), (NAMES, "names")):
        parts += [text, table(["", *(f"{sender} to {receiver}" for sender, receiver in PAIRS)],
                              [[title, *(cells.get(pair, "-") for pair in PAIRS)] for title, cells in seen[key]])]
    for key, text in SAID.items():
        parts += [text, table(["said", *(f"to {protocol}" for protocol in PROTOCOLS)],
                              [[title, *(cells[protocol] for protocol in PROTOCOLS)] for title, cells in seen[key]])]
    parts.append(RPC + "\n".join(f"| {' | '.join(row)} |" for row in rpc) + "\n")
    return "\n".join(parts)
