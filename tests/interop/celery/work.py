"""The Celery application of this suite, as a team would write it: late acknowledgement, results by RPC."""

import os
import time

from celery import Celery

NAME = os.environ["INTEROP_NAME"]
app = Celery("work", broker=os.environ["INTEROP_URL"], backend="rpc://")
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1,
                task_default_queue=NAME, task_default_exchange=NAME, task_default_routing_key=NAME,
                broker_connection_timeout=5, broker_transport_options={"confirm_publish": True},
                worker_send_task_events=True, task_send_sent_event=True, broker_connection_retry=False)


@app.task(name="add")
def add(a, b):
    return a + b


@app.task(name="seen", bind=True)
def seen(self):
    """How the broker handed it out."""
    return bool(self.request.delivery_info["redelivered"])


@app.task(name="stall", bind=True)
def stall(self, path):
    """Says that it has begun, and the first time never ends."""
    with open(path, "a", encoding="ascii") as file:
        file.write("began\n")
    if not self.request.delivery_info["redelivered"]:
        time.sleep(600)
    return bool(self.request.delivery_info["redelivered"])


@app.task(name="flaky", bind=True, max_retries=5, default_retry_delay=0.1)
def flaky(self):
    if self.request.retries < 3:
        raise self.retry()
    return self.request.retries


@app.task(name="broken")
def broken():
    raise ValueError("as asked")
