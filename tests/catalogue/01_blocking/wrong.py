"""What goes wrong in step 1."""

from tests.catalogue.mistake import Mistake

SLEEP = 'time.sleep(app.config["WORK_SECONDS"])'
ANSWER = 'return f"The answer is: {path}"'
URLS = 'api.add_resource(CatchAll, "/", "/<path:path>")'
NO_WORK = "the_work_takes_as_long_as_configured the_response_waits_for_the_work"

NOT_EVERY_PATH = "every_path_is_handled answers_with_the_path"

MISTAKES = {
    "resource-not-added": Mistake(((URLS, ""),), f"{NOT_EVERY_PATH} {NO_WORK}"),
    "root-not-added": Mistake((('"/", "/<path:path>"', '"/<path:path>"'),), NOT_EVERY_PATH),
    "path-ends-at-a-slash": Mistake((("<path:path>", "<path>"),), NOT_EVERY_PATH),
    "no-default-for-the-path": Mistake((('path=""', "path"),), NOT_EVERY_PATH),
    "placeholder-has-another-name": Mistake(
        (("<path:path>", "<path:name>"),), f"{NOT_EVERY_PATH} {NO_WORK}"
    ),
    "nothing-returned": Mistake(((f"        {ANSWER}\n", ""),), "answers_with_the_path"),
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
        ((SLEEP, "time.sleep(10)"),), "the_work_takes_as_long_as_configured"
    ),
    "thread-too-early": Mistake(
        (
            (SLEEP, f"threading.Thread(target=lambda: {SLEEP}, daemon=True).start()"),
            ("import time", "import threading\nimport time"),
        ),
        "the_response_waits_for_the_work",
    ),
}
