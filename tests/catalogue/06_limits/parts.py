"""Step 6 part by part: the changes to our solution that leave what a part does, and no more."""

WAITING = 'app.config["WAITING"] = 8\n'
GRACE = 'app.config["GRACE_SECONDS"] = 30\n'
SLOTS = 'slots = threading.BoundedSemaphore(app.config["WORKERS"] + app.config["WAITING"])\n'
BUSY = """soon = {"Retry-After": "5", "Content-Type": "text/plain"}
busy = "busy\\n", 503, soon
"""
LATE = """            if task_id not in tasks:
                return slots.release()
"""
RELEASE = """                ended.append((time.monotonic(), task_id))
                slots.release()
"""
ACQUIRE = """        if not slots.acquire(blocking=False):
            return Response(*busy)
"""
SUBMIT = """        try:
            pool.submit(task)
        except RuntimeError:
            del tasks[task_id]
            return Response(*busy)
"""
YIELD = """            if len(ended) % 100 == 0:
                time.sleep(0)
"""
BACK = """    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
"""
LIMIT = """    if tasks:
        faulthandler.dump_traceback_later(app.config["GRACE_SECONDS"], exit=True)
"""
STOP = '''def stop(signum, frame):
    """End the server. Accepted tasks get GRACE_SECONDS to finish; a second signal ends them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if tasks:
        faulthandler.dump_traceback_later(app.config["GRACE_SECONDS"], exit=True)
    raise KeyboardInterrupt


in_main_thread = threading.current_thread() is threading.main_thread()
if in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


'''
STORE = '''@app.after_request
def not_to_be_stored(response):
    """A status URL's response may change any moment, so no cache may keep it."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response


'''

NO_HEADERS = (("**soon}", '"Content-Type": "text/plain"}'), (STORE, ""), (YIELD, ""))
NO_LIMIT = (("import faulthandler\n", ""), (GRACE, ""))
NO_SHUTDOWN = (
    *NO_LIMIT,
    ("import signal\n", ""),
    (STOP, ""),
    (LATE, ""),
    (SUBMIT, "        pool.submit(task)\n"),
)
NO_SLOTS = (
    (WAITING, ""),
    (SLOTS, ""),
    (BUSY, ""),
    (RELEASE, RELEASE.splitlines(keepends=True)[0]),
    (ACQUIRE, ""),
)

AFTER = {
    "a": (*NO_HEADERS, *NO_SHUTDOWN, *NO_SLOTS),
    "b": (*NO_HEADERS, *NO_SHUTDOWN),
    "c": (*NO_HEADERS, *NO_LIMIT, (BACK, ""), (LIMIT, "")),
    "d": NO_HEADERS,
}
