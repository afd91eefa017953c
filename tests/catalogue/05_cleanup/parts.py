"""Step 5 after each of its parts but the last."""

SWEEP_SECONDS = 'app.config["SWEEP_SECONDS"] = 60\n'
LOCKS = """sweeping = threading.Lock()
cleaner, starting = None, threading.Lock()
"""
STOP = "stop_cleaner = threading.Event()\n"
SWEEP = """    with sweeping:
        horizon = time.monotonic() - app.config["KEEP_SECONDS"]
        while ended and ended[0][0] < horizon:
            _, task_id = ended.popleft()
            del tasks[task_id]
"""
KEEP_CLEANING = """def keep_cleaning():
    while not stop_cleaner.wait(app.config["SWEEP_SECONDS"]):
        try:
            clean_old_tasks()
        except Exception:
            app.logger.exception("A sweep failed; the next one may succeed")


"""
START = """    global cleaner
    with starting:
        if cleaner is None and not app.testing:
            cleaner = threading.Thread(target=keep_cleaning, daemon=True)
            cleaner.start()
"""
START_CLEANER = f'''@app.before_request
def start_cleaner():
    """Start the cleaner with the first request, in each process that serves."""
{START}

'''

WITHOUT_LOCK = (SWEEP, SWEEP.partition("\n")[2].replace("\n    ", "\n").removeprefix("    "))
NOT_CAUGHT = (
    KEEP_CLEANING[KEEP_CLEANING.index("        try") :],
    "        clean_old_tasks()\n\n\n",
)
EACH_REQUEST = (
    START,
    "    if not app.testing:\n"
    "        threading.Thread(target=keep_cleaning, daemon=True).start()\n",
)

AFTER = {
    "a": (
        (SWEEP_SECONDS, ""),
        (LOCKS + STOP, ""),
        WITHOUT_LOCK,
        (KEEP_CLEANING, ""),
        (START_CLEANER, ""),
    ),
    "b": ((LOCKS, ""), WITHOUT_LOCK, NOT_CAUGHT, EACH_REQUEST),
    "c": (NOT_CAUGHT,),
}
