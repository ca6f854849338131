"""An authenticator app that others wrote: what it shows is what a node accepts, from enrolment on."""

import json
import sys
import time
import urllib.error
import urllib.request

import pyotp

url, token, password = sys.argv[1:]


def call(method, token="", **request):
    asked = urllib.request.Request(
        f"{url}/stoa.auth.v1.AuthService/{method}",
        data=json.dumps(request).encode(),
        headers={"content-type": "application/json"},
    )
    if token:
        asked.add_header("authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(asked) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        details = json.load(refused)["details"]
        return {"refused": details[0]["debug"]["reason"]}


enrolled = call("EnrolTotp", token)
app = pyotp.parse_uri(enrolled["uri"])
assert isinstance(app, pyotp.TOTP)
assert (app.secret, app.digits, app.interval) == (enrolled["secret"], 6, 30), enrolled
assert (app.name, app.digest().name) == ("ada", "sha1"), (app.name, app.digest)
# The other way round, what an app would be told is what was said.
assert pyotp.TOTP(app.secret).provisioning_uri(name=app.name, issuer_name=app.issuer).split("?")[0] == (
    enrolled["uri"].split("?")[0]
)

# Codes of a time that is not now are refused; of a secret that is not confirmed yet they count for nothing.
now = int(time.time())
for steps in (-5, 5):
    code = app.at(now, counter_offset=steps)
    assert call("ConfirmTotp", token, code=code) == {"refused": "auth.wrong_code"}, steps
assert call("ConfirmTotp", token, code=app.at(now)) == {}


def sign_in(code):
    asked = call("SignIn", login="ada", password=password)["secondFactor"]
    assert asked["kinds"] == ["FACTOR_KIND_TOTP"], asked
    return call("VerifySecondFactor", ticket=asked["ticket"], code=code)


# The code that confirmed counts as used. The next one is good a step early, and once.
assert sign_in(app.at(now)) == {"refused": "auth.wrong_code"}
session = sign_in(app.at(now, counter_offset=1))
assert session["session"]["methods"] == ["pwd", "otp"], session
assert sign_in(app.at(now, counter_offset=1)) == {"refused": "auth.wrong_code"}
print("ok")
