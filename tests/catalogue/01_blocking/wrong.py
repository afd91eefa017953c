"""What goes wrong in step 1."""

from tests.catalogue.mistake import Mistake

SLEEP = 'time.sleep(app.config["WORK_SECONDS"])'
ANSWER = 'return f"The answer is: {path}"'
URLS = 'api.add_resource(CatchAll, "/", "/<path:path>")'
NO_WORK = "the_work_takes_as_long_as_configured the_response_waits_for_the_work"

MISTAKES = {
    "resource-not-added": Mistake(((URLS, ""),), f"answers_with_the_path {NO_WORK}"),
    "root-not-added": Mistake(
        (('"/", "/<path:path>"', '"/<path:path>"'),), "answers_with_the_path"
    ),
    "path-ends-at-a-slash": Mistake((("<path:path>", "<path>"),), "answers_with_the_path"),
    "no-default-for-the-path": Mistake((('path=""', "path"),), "answers_with_the_path"),
    "printed-not-returned": Mistake(
        ((ANSWER, ANSWER.replace("return ", "print(") + ")"),), "answers_with_the_path"
    ),
    "path-not-filled-in": Mistake(((ANSWER, ANSWER.replace(" f", " ")),), "answers_with_the_path"),
    "json-twice": Mistake(
        (
            (ANSWER, ANSWER.replace("return ", "return json.dumps(") + ")"),
            ("import time", "import json\nimport time"),
        ),
        "answers_with_the_path",
    ),
    "no-work": Mistake(((SLEEP, ""),), NO_WORK),
    "seconds-are-fixed": Mistake(
        ((SLEEP, "time.sleep(10)"),), "answers_with_the_path the_work_takes_as_long_as_configured"
    ),
    "thread-too-early": Mistake(
        (
            (SLEEP, f"threading.Thread(target=lambda: {SLEEP}, daemon=True).start()"),
            ("import time", "import threading\nimport time"),
        ),
        "the_response_waits_for_the_work",
    ),
}
