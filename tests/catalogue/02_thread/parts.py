"""Step 2 after each of its parts but the last."""

WITHOUT_THREAD = (
    "threading.Thread(target=view, args=args, kwargs=kwargs, daemon=True).start()",
    "view(*args, **kwargs)",
)
WITHOUT_NAME = ("    @wraps(view)\n", "")

AFTER = {
    "a": (WITHOUT_THREAD, WITHOUT_NAME),
    "b": (WITHOUT_NAME,),
}
