"""What is wrong with a status URL, an id or a finished task: facts in, a Broken out."""

import json
import re
import uuid
from itertools import pairwise

from tests.harness.expect import Broken
from tests.harness.sent import difference
from tests.harness.words import described, described_value
from tests.step_04_status import scenes

# While the task is running


def leads_elsewhere(site, location, response):
    """The Broken for a running task's status URL that sends another Location."""
    if scenes.catch_all_begins(site):
        return status_not_added(location)
    return Broken(
        f"While the task was running, GET {location} returned another Location: "
        f"{response.headers['Location']}.",
        "The client is sent to another URL than the one that it was given.",
        "GetTaskStatus has to send the task's own URL again.",
    )


def status_not_added(url):
    return Broken(
        f"GET {without_id(url)} started CatchAll's work.",
        "CatchAll takes every URL that no other resource has, so each poll starts a new task.",
        "Register GetTaskStatus for this URL: "
        'api.add_resource(GetTaskStatus, "/status/<task_id>").',
        "status-not-added",
    )


def running_is_not_202(site, work, location, running):
    """The Broken for a running task's response that is not a 202, by what comes after it."""
    work.release()
    site.done(site.call(work))
    over = site.get(location)
    saw = f"While the task was running, its status URL returned {running.status}"
    if running.status_code == 404 and over.status_code == 200:
        return Broken(
            f"{saw}. Once the task was over, it returned {over.status}.",
            "A client that polls early thinks that there is no such task, and gives up.",
            "Create the record before the thread starts, not only when the task ends.",
            "no-record-before-the-end",
        )
    if running.status_code == 200 and running.data == over.data == b"null\n":
        return Broken(
            f"{saw} with the body null. When the task was over, the body was still null.",
            "null is the JSON for None, which is what a Python function returns if it ends without "
            "a return.",
            "Does GetTaskStatus.get return the response that it builds from the record, as in "
            "return Response(*record)?",
            "record-not-returned",
        )
    if running.status_code == over.status_code == 200 and over.data != b"done":
        report = over.get_data(as_text=True).strip()
        return Broken(
            f"{saw}. Once the task was over, it returned {described_value(report)}.",
            'The view returned "done". The client should get that, as it would without async_api.',
            "Don't send a report about the task: return 202 while it is running, and then the "
            "view's own response.",
            "report-on-the-task",
        )
    if running.status_code == over.status_code == 200:
        return Broken(
            f"{saw}.",
            "A client polls until the status code is no longer 202, so it takes this response for "
            "the result.",
            "A view can return a status code: return body, 202, headers.",
            "running-is-200",
        )
    if running.status_code == 500:
        return failed(site, saw, "Only a 202 says that the task is still running.")
    if kind := kind_of_key(site, location):
        return Broken(
            f"{saw}. Its record is in tasks, under a key of the type {kind}.",
            "The task_id that GetTaskStatus.get receives from the URL is a string. In a dict, a "
            f"string never matches a key of the type {kind}, even if both look the same in print.",
            "Use a string as the id from the beginning, in url_for as well as in tasks, for "
            "example uuid.uuid4().hex.",
            "id-not-a-string",
        )
    return Broken(
        f"{saw}.",
        "The client was told to poll there, and only a 202 says that the task is still running.",
        "Is there a resource at this URL? Is the record in tasks before the 202 is sent? Is its "
        "key a string, and equal to what follows the last slash in the URL?",
    )


def kind_of_key(site, location):
    """The type of the key under which tasks has a running task's record, if it is not a string."""
    tasks = getattr(site.module, "tasks", None)
    task_id = location.rpartition("/")[2]
    for key in list(tasks) if isinstance(tasks, dict) else []:
        if not isinstance(key, str) and task_id in (str(key), getattr(key, "hex", None)):
            return type(key).__name__
    return None


def failed(site, saw, means):
    """The Broken for a status URL that returned 500: with which exception, and where?"""
    if not site.errors:
        return Broken(
            f"{saw}.{site.last_words()}", means, "A 500 is an error in the server's code."
        )
    error = site.errors[-1]
    saw = f"{saw}. It failed with {described(error)}{site.place(error)}."
    other = re.match(r"GetTaskStatus\.\w+\(\) .*(unexpected|positional).* argument", str(error))
    if other and not site.place(error):
        return Broken(
            saw,
            "Flask-RESTful passes the id from the URL to each method of the resource, as "
            "task_id=….",
            "After self, the method needs a parameter of the same name as in /status/<task_id>.",
            "method-without-task-id",
        )
    look = "Start at that line." if site.place(error) else "Start with this exception."
    return Broken(saw, means, look)


def running_without_location():
    return Broken(
        "While the task was running, its status URL returned a 202 without Location.",
        "Each 202 has to say where to poll next. Many clients follow the last Location they got.",
        "The record can hold the first 202 as it was sent, with its Location.",
        "running-without-location",
    )


def not_202_before_the_task_begins(early, later):
    """The Broken for a status URL's response before the task's thread runs; later: one after."""
    saw = (
        "Before the task's thread had run its first line, the status URL returned "
        f"{early.status}. Once the view was running, the URL returned {later.status}."
    )
    if (early.status_code, later.status_code) == (404, 202):
        return Broken(
            saw,
            "A new thread doesn't always run right away. On a busy computer, the client can poll "
            "first.",
            "Create the record in the request, before start().",
            "record-made-in-thread",
        )
    return Broken(
        saw,
        "The task was accepted, so its status is 202 until it is finished.",
        "What does the record hold before the task's thread runs?",
    )


def lost_under_a_prefix(location, response):
    saw = (
        f"The app was served under /shop. The path in the 202's Location was "
        f"{without_id(location)}, and a GET to it returned {response.status}."
    )
    if not location.startswith("/shop/"):
        return Broken(
            saw,
            "An app behind a proxy, or next to another app, often has a prefix. No client can poll "
            "a status URL that lacks the prefix.",
            "Do not put the URL together by hand: url_for knows the prefix.",
            "location-by-hand",
        )
    return Broken(
        saw,
        "The task was running, so its status URL has to return 202.",
        "Does GetTaskStatus find the record by the id alone? The URL from url_for contains the "
        "prefix, but request.path does not.",
    )


def without_id(location):
    """A status URL without its last part, which is different each time."""
    return location.rpartition("/")[0] + "/…"


# Ids


def same_url_each_time(site, work):
    """The Broken for tasks that all have one status URL: what would make it change?"""
    location = scenes.next_location(site, work)
    if scenes.next_location(site, work) != location:  # without random.seed()
        return Broken(
            "The check called random.seed(0) before each request. All tasks had the same status "
            "URL.",
            "The numbers of the random module only look random: from some of them, anyone can work "
            "out the others.",
            "uuid.uuid4() and the secrets module are made for values that nobody should be able "
            "to guess.",
            "id-by-random",
        )
    site.clock.advance(3600)
    if scenes.next_location(site, work) != location:
        return Broken(
            "Tasks that began at the same time all had the same status URL.",
            "The id is made from the time. Two requests at the same time get the same id, and "
            "anyone can guess a time.",
            "uuid.uuid4() makes an id that is different each time and that nobody can guess.",
            "id-by-the-clock",
        )
    return Broken(
        "All requests to one view got the same status URL.",
        "Their tasks share one record, so a client can get the response to another client's "
        "request.",
        "Is the id made in the inner function, which runs once for each request?",
        "one-id-for-all",
    )


def can_be_guessed(locations):
    """The Broken for status URLs that differ too little."""
    saw = f"Two tasks, one after the other, had the status URLs {locations[0]} and {locations[1]}."
    ids = [location.rpartition("/")[2] for location in locations]
    if all(map(str.isdecimal, ids)) and len({int(b) - int(a) for a, b in pairwise(ids)}) == 1:
        return Broken(
            saw,
            "Each id differs from the one before by the same number. Anyone who has one id knows "
            "the others, and can read the responses to other clients.",
            "uuid.uuid4() makes an id that nobody can guess.",
            "ids-are-counted",
        )
    if all(re.fullmatch(r"[0-9a-f]{8}-?[0-9a-f]{4}-?1[0-9a-f]{3}.*", each) for each in ids):
        return Broken(
            "The ids look like those of uuid1(): the digit for a UUID's version is a 1.",
            "uuid1() makes an id from the time and the address of the computer's network card. "
            "Both can be guessed.",
            "uuid.uuid4() makes a random id.",
            "id-by-uuid1",
        )
    return Broken(
        saw,
        "The URLs of 64 tasks differed so little that somebody could guess another client's URL, "
        "and read its response.",
        "uuid.uuid4() and the secrets module make ids that nobody can guess. Counters, times and "
        "the random module don't.",
    )


def unknown_is_not_404(site, url, response):
    saw = f"No task has the status URL {url}, but a GET to it returned {response.status}."
    if response.status_code == 202 and scenes.catch_all_begins(site):
        other = f"{url.rpartition('/')[0]}/{uuid.UUID(int=0)}"
        if (response := site.get(other)).status_code != 202:
            return some_ids_only(url, other, response)
        return status_not_added(url)
    if response.status_code == 202:
        return Broken(
            saw,
            "A client whose task never existed, or has been forgotten, polls forever.",
            "If nothing is stored about a task with this id, call abort(404).",
            "unknown-is-202",
        )
    if response.status_code == 200:
        return Broken(
            saw,
            "The client takes this for its task's response, because programs look at the status "
            "code first.",
            "Call abort(404) if there is no record with this id.",
            "unknown-is-200",
        )
    if response.status_code == 500 and "KeyError" in site.last_words():
        return Broken(
            saw,
            "Nothing caught a KeyError. To Flask, that is an error in the server.",
            "tasks.get(task_id) returns None if there is no record. In that case, call abort(404). "
            "(For this to work, never store None as the record of a running task.)",
            "unknown-is-500",
        )
    old = "A client with a wrong or old URL should learn that there is no such task."
    if response.status_code == 500:
        return failed(site, saw.removesuffix("."), old)
    return Broken(saw, old, "Call abort(404) if there is no record with this id.")


def some_ids_only(url, other, response):
    """The Broken for a resource that does not get every status URL; other: the URL of a UUID."""
    return Broken(
        f"A GET to {url} started CatchAll's work. A GET to {other} returned {response.status}.",
        "GetTaskStatus gets only some of the URLs that clients can poll. CatchAll gets the others, "
        "and starts a task for each poll.",
        "A converter, as in <uuid:task_id>, decides which ids a URL can have. <task_id> without a "
        "converter matches everything up to the next slash.",
        "some-ids-only",
    )


# Other methods, and other moments


def status_url_takes(site, method, location, response):
    """The Broken for a method other than GET that a status URL does not reject."""
    another = response.headers.get("Location") not in (None, location)
    if response.status_code == 202 and (another or scenes.catch_all_begins(site)):
        return Broken(
            f"A {method} to {without_id(location)} returned a 202, and started a task.",
            "CatchAll treated the URL as one of its paths, and started work that nobody asked for.",
            "If GetTaskStatus has no post(), Flask looks for another resource that has one, and "
            "finds CatchAll. Write a post() that returns 405.",
            "post-starts-a-task",
        )
    saw = f"A {method} to {location} returned {response.status}"
    if response.status_code == 500:
        return failed(site, saw, "405 Method Not Allowed says that this URL is only for reading.")
    return Broken(
        f"{saw}.",
        "Such a request could start or change something. A client may only read a status URL.",
        "405 Method Not Allowed says that this URL is only for reading.",
    )


def harmed_by_other_methods(response):
    return Broken(
        "A running task's status URL got a POST, a PUT, a PATCH and a DELETE. When the task was "
        f"over, a GET returned {response.status}.",
        "The task's client does not get its response.",
        "What do these four requests change?",
    )


def not_its_202(response):
    """The Broken for a request that got no 202, because its task had ended by then."""
    return Broken(
        f"A task ended before its request did, and the request returned {response.status}.",
        "If the task takes longer, the request returns a 202. What a client gets must not depend "
        "on which of two threads is faster.",
        "Return the 202 itself, for example Response(*accepted), instead of reading the record "
        "from tasks: by then, the task may have replaced the record.",
    )


def lost_before_its_202(site, response, usual):
    """The Broken for a task that ended before its 202; usual: what one returns that ends later."""
    return Broken(
        f"A task ended before its 202 was sent. Later, its status URL returned {response.status}.",
        "The response of a quick task is lost, and its client polls in vain.",
        "Create the record before you start the thread." + site.last_words(),
        "record-after-start" if usual.status_code == 200 else None,
    )


def not_the_same_again(first, *others):
    """The Broken for polls of a finished task that did not all get the same; each is a Sent."""
    second = others[0]
    if first.status.startswith("200") and second.status.startswith("404"):
        return Broken(
            "The first poll of a finished task got a 200, and the second a 404.",
            "Networks lose responses, and people reload pages. Each poll should get the response "
            "again.",
            "Keep the response after a client has read it. From step 5 on, old responses expire.",
            "gone-once-read",
        )
    if first.status == second.status and first.body and not second.body:
        return Broken(
            f"The first poll got the body {described_value(first.body)}, and the second an empty "
            "one.",
            "The view streamed its body from a generator, which can be read only once.",
            "Keep the bytes of the whole body: response.get_data() returns them.",
            "response-used-up",
        )
    another = next(other for other in others if other != first)
    saw, then = difference(first, another)
    return Broken(
        f"The first poll of a finished task got {saw}, a later one {then}.",
        "Networks lose responses, and people reload pages. Each poll should get the same response.",
        "Keep the whole body in the record as bytes, and do not let a poll change the record.",
    )


def half_finished(early, final):
    """The Broken for a poll that came while the task was ending; final: what one gets later."""
    saw, later = difference(early, final)
    return Broken(
        f"A poll that arrived while the task was ending got {saw}. A poll after the end of the "
        f"task got {later}.",
        "For a moment, the record fits neither a running task nor a finished one. Few clients poll "
        "at that moment, so nobody will find out what went wrong.",
        "Store the response before anything says that the task is done, or do both in one step.",
        None if early.status.startswith("404") else "done-before-the-answer",
    )


def path_not_sent_back(site, path, response):
    return Broken(
        f"GET /{path} led to {response.status}, with "
        f"{described_value(response.get_data(as_text=True))} as {response.mimetype}.",
        f'The client should get the JSON string "The answer is: {path}".',
        "What does CatchAll.get return? Does the task's record hold the response that "
        "Flask-RESTful builds from that?" + site.last_words(),
    )


def post_not_sent_back(site, sent, expected, response):
    body = response.get_data(as_text=True)
    return Broken(
        f"POST /hello with the JSON {json.dumps(sent)} led to {response.status}, with "
        f"{described_value(body)} as {response.mimetype}.",
        f"The client should get the JSON {json.dumps(expected)}.",
        "What does CatchAll.post return? Does the task's record hold the response that "
        "Flask-RESTful builds from that?" + site.last_words(),
        "post-without-its-path" if response.is_json and response.json == sent else None,
    )
