"""Which secrets a text contains."""

import base64


def leaked(secrets, text):
    """Those of the secrets that the text contains, in plain text or in base64."""
    return [secret for secret in secrets if any(form in text for form in forms(secret))]


def forms(secret):
    """The secret, and its base64, which depends on where in a group of three bytes it begins."""
    coded = [base64.b64encode(b" " * n + secret.encode())[4:-4].decode() for n in range(3)]
    return secret, *coded
