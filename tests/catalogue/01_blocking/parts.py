"""Step 1 after each of its parts but the last."""

WITHOUT_WORK = ('        time.sleep(app.config["WORK_SECONDS"])\n', "")
WITHOUT_RESPONSE = ('        return f"The answer is: {path}"\n', "")

AFTER = {
    "a": (WITHOUT_WORK, WITHOUT_RESPONSE),
    "b": (WITHOUT_WORK,),
}
