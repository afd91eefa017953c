"""What goes wrong in step 2."""

from tests.catalogue.mistake import Mistake

THREAD = "threading.Thread(target=view, args=args, kwargs=kwargs, daemon=True).start()"
IN_THE_REQUEST = (
    "answers_202_while_the_work_goes_on catch_all_is_asynchronous "
    "two_requests_work_at_the_same_time an_exception_in_the_work_is_logged"
)
NOT_ACCEPTED = f"{IN_THE_REQUEST} the_work_is_done_once the_view_gets_its_own_arguments"
NOT_AT_ALL = f"{NOT_ACCEPTED} the_work_takes_as_long_as_configured"


def around(*lines):
    """The change that calls the view by way of a function of these lines, work()."""
    body = "".join(f"        {line}\n" for line in lines)
    wraps = "    @wraps(view)\n"
    return (
        (wraps, f"    def work(*args, **kwargs):\n{body}\n{wraps}"),
        ("target=view", "target=work"),
    )


MISTAKES = {
    "no-thread": Mistake(((THREAD, "view(*args, **kwargs)"),), IN_THE_REQUEST),
    "called-not-passed": Mistake(
        ((THREAD, "threading.Thread(target=view(*args, **kwargs)).start()"),), IN_THE_REQUEST
    ),
    "run-not-start": Mistake(((THREAD, THREAD.replace("start", "run")),), IN_THE_REQUEST),
    "never-started": Mistake(((THREAD, THREAD.removesuffix(".start()")),), NOT_AT_ALL),
    "joined-in-request": Mistake(
        ((THREAD, f"thread = {THREAD[:-8]}; thread.start(); thread.join()"),),
        IN_THE_REQUEST,
    ),
    "arguments-dropped": Mistake(
        (("args=args, kwargs=kwargs, ", ""),),
        "answers_202_while_the_work_goes_on catch_all_is_asynchronous "
        "the_view_gets_its_own_arguments the_work_takes_as_long_as_configured",
    ),
    "arguments-not-accepted": Mistake(
        (("accept(*args, **kwargs)", "accept(*args)"), (" kwargs=kwargs,", "")),
        "catch_all_is_asynchronous the_view_gets_its_own_arguments "
        "the_work_takes_as_long_as_configured",
    ),
    "keywords-dropped": Mistake(((" kwargs=kwargs,", ""),), "the_view_gets_its_own_arguments"),
    "arguments-in-a-list": Mistake(
        (("args=args, kwargs=kwargs,", "args=[args, kwargs],"),),
        "the_work_is_done_once the_view_gets_its_own_arguments an_exception_in_the_work_is_logged",
    ),
    "no-wraps": Mistake((("    @wraps(view)\n", ""),), "names_survive_decoration"),
    "wraps-without-view": Mistake(
        (("@wraps(view)", "@wraps"),), f"{NOT_AT_ALL} names_survive_decoration"
    ),
    "decorator-returns-nothing": Mistake(
        (("    return accept\n", ""),), f"{NOT_AT_ALL} names_survive_decoration"
    ),
    "answers-200": Mistake((('"accepted", 202', '"accepted"'),), NOT_ACCEPTED),
    "returns-the-views-result": Mistake(
        ((f'{THREAD}\n        return "accepted", 202', "return view(*args, **kwargs)"),),
        NOT_ACCEPTED,
        named="answers-200",
    ),
    "catch-all-not-decorated": Mistake((("    @async_api\n", ""),), "catch_all_is_asynchronous"),
    "one-after-the-other": Mistake(
        (
            *around("with turn:", "    view(*args, **kwargs)"),
            ("def async_api", "turn = threading.Lock()\n\n\ndef async_api"),
        ),
        "two_requests_work_at_the_same_time",
    ),
    "error-swallowed": Mistake(
        around("try:", "    view(*args, **kwargs)", "except Exception:", "    pass"),
        "an_exception_in_the_work_is_logged",
    ),
    "done-twice": Mistake(
        around("view(*args, **kwargs)", "view(*args, **kwargs)"), "the_work_is_done_once"
    ),
}
