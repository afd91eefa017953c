"""A broker and a result store for Celery in a folder, to try step 7 without Redis.

Celery has its own, filesystem:// and file://. But they write a file under its final name, so a
worker may take half a message, and a poll may find half a result. And file:// never deletes
a result.

A process uses this broker if it imports this module and has the variables of environment().
"""

import contextlib
import hashlib
import os
import time
import uuid
from pathlib import Path
from queue import Empty

from celery.backends.base import KeyValueStoreBackend
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.utils import json
from kombu.utils.encoding import ensure_bytes


def environment(folder):
    """The environment variables that make Celery use this folder, whatever an app configures."""
    return {
        "CELERY_BROKER_URL": "files://",
        "CELERY_RESULT_BACKEND": "workshop.file_broker.Store://",
        "WORKSHOP_FILES": str(folder),
    }


def subfolder(name):
    path = Path(os.environ["WORKSHOP_FILES"], name)
    path.mkdir(0o700, parents=True, exist_ok=True)  # messages contain what clients sent
    return path


def write(path, content, modified=None):
    """Write a file that gets its name only once it is complete. modified: its new mtime."""
    unfinished = path.with_name(f".{uuid.uuid4().hex}")
    unfinished.write_bytes(content)
    if modified:
        os.utime(unfinished, (modified, modified))
    os.replace(unfinished, path)


def put_back(environ, process):
    """Put back the messages that a killed process had taken but not finished."""
    folder = Path(environ.get("WORKSHOP_FILES", ""))
    for path in folder.glob(f"taken/{process}/*/*"):
        with contextlib.suppress(OSError):  # somebody else does the same
            path.rename(folder / path.parent.name / path.name)


class QoS(virtual.QoS):
    """Keeps a message in taken/<process>/<queue> until it is done."""

    def append(self, message, delivery_tag):
        super().append(message, delivery_tag)
        queue = message.delivery_info["routing_key"]
        path = subfolder(f"taken/{os.getpid()}/{queue}") / f"{time.time_ns()}-{delivery_tag}"
        write(path, json.dumps(message.serializable()).encode())

    def ack(self, delivery_tag):
        super().ack(delivery_tag)
        self._forget(delivery_tag)

    def reject(self, delivery_tag, requeue=False):
        super().reject(delivery_tag, requeue)
        self._forget(delivery_tag)

    def restore_unacked(self):
        tags = [*self._delivered]
        errors = super().restore_unacked()
        for tag in tags:
            self._forget(tag)
        return errors

    def _forget(self, delivery_tag):
        for path in subfolder(f"taken/{os.getpid()}").glob(f"*/*-{delivery_tag}"):
            path.unlink(missing_ok=True)


class Channel(virtual.Channel):
    """Messages are files. A process takes a message by renaming its file."""

    QoS = QoS

    def _put(self, queue, message, **kwargs):
        name = f"{time.time_ns()}-{uuid.uuid4().hex}"
        write(subfolder(queue) / name, json.dumps(message).encode())

    def _get(self, queue):
        for path in self._waiting(queue):
            taken = path.with_name(f".{path.name}")
            with contextlib.suppress(OSError):  # another process was faster
                path.rename(taken)
                content = taken.read_bytes()
                taken.unlink()
                return json.loads(content)
        raise Empty

    def _size(self, queue):
        return len(self._waiting(queue))

    def _purge(self, queue):
        waiting = self._waiting(queue)
        for path in waiting:
            path.unlink(missing_ok=True)
        return len(waiting)

    def _waiting(self, queue):
        return sorted(subfolder(queue).glob("[0-9]*"))


class Transport(virtual.Transport):
    Channel = Channel
    polling_interval = 0.1  # seconds
    driver_type = driver_name = "files"

    def driver_version(self):
        return "1"


TRANSPORT_ALIASES["files"] = "workshop.file_broker:Transport"  # kombu's table of URL schemes


class Store(KeyValueStoreBackend):
    """Results are files. A file's modification time is the time when its result expires."""

    supports_autoexpire = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for path in subfolder("results").iterdir():
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - 60:
                    path.unlink()

    def _path(self, key):
        return subfolder("results") / hashlib.sha256(ensure_bytes(key)).hexdigest()

    def get(self, key):
        try:
            with self._path(key).open("rb") as file:
                return file.read() if os.fstat(file.fileno()).st_mtime > time.time() else None
        except FileNotFoundError:
            return None

    def mget(self, keys):
        return [self.get(key) for key in keys]

    def set(self, key, value):
        write(self._path(key), ensure_bytes(value), time.time() + self.expires)

    def delete(self, key):
        self._path(key).unlink(missing_ok=True)
