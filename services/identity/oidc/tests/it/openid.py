"""Authlib, as it comes, with a browser that is no more than a cookie."""

import os
import re
import sys
from html import unescape
from urllib.parse import urljoin, urlsplit

import requests

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

issuer, now, session, shop, secret, television, robot, robot_secret = sys.argv[1:]
BACK = "http://127.0.0.1:9/signed-in"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
cookies = {f"stoa_session_{urlsplit(issuer).port}": session}
there = requests.get(f"{issuer}/.well-known/openid-configuration").json()
assert there["issuer"] == issuer, there


def allow(address):
    """Follows an address, and says yes on the page that asks."""
    answer = requests.get(address, cookies=cookies, allow_redirects=False)
    if answer.status_code == 200:
        page = answer.text
        action = urljoin(issuer, unescape(re.search(r'action="([^"]+)"', page)[1]))
        fields = dict(re.findall(r'type="hidden" name="([a-z_]+)" value="([^"]*)"', page))
        fields = {name: unescape(value) for name, value in fields.items()} | {"decision": "allow"}
        answer = requests.post(action, data=fields, cookies=cookies, allow_redirects=False)
    return answer


def claims(token, client_id, nonce=None):
    keys = KeySet.import_key_set(requests.get(there["jwks_uri"]).json())
    token = jwt.decode(token, keys, algorithms=["RS256", "ES256"])
    options = {"iss": {"value": issuer}, "aud": {"value": client_id}}
    read = CodeIDToken(token.claims, token.header, options, {"nonce": nonce, "client_id": client_id})
    read.validate(now=int(now), leeway=60)
    return read


def refused(call, error):
    try:
        call()
    except OAuthError as refusal:
        assert refusal.error == error, refusal
        return
    sys.exit(f"it was not refused: {error}")


client = OAuth2Session(
    shop, secret, scope="openid profile email offline_access", redirect_uri=BACK, code_challenge_method="S256"
)
verifier, nonce = generate_token(48), generate_token()
address, state = client.create_authorization_url(
    there["authorization_endpoint"], code_verifier=verifier, nonce=nonce
)
back = allow(address).headers["location"]
tokens = client.fetch_token(
    there["token_endpoint"], authorization_response=back, code_verifier=verifier, state=state
)
who = claims(tokens["id_token"], shop, nonce)
info = client.get(there["userinfo_endpoint"]).json()
assert (info["sub"], info["email"]) == (who["sub"], "ada@example.com"), info
found = client.introspect_token(there["introspection_endpoint"], token=tokens["access_token"]).json()
assert found["active"] and found["sub"] == who["sub"], found
# A code is good once.
other = OAuth2Session(shop, secret, redirect_uri=BACK, code_challenge_method="S256")
refused(
    lambda: other.fetch_token(there["token_endpoint"], authorization_response=back, code_verifier=verifier),
    "invalid_grant",
)
refused(lambda: client.refresh_token(there["token_endpoint"], tokens["refresh_token"]), "invalid_grant")

address, state = client.create_authorization_url(there["authorization_endpoint"], code_verifier=verifier)
back = allow(address).headers["location"]
tokens = client.fetch_token(
    there["token_endpoint"], authorization_response=back, code_verifier=verifier, state=state
)
following = client.refresh_token(there["token_endpoint"], tokens["refresh_token"])
assert following["refresh_token"] != tokens["refresh_token"]
claims(following["id_token"], shop)
revoked = client.revoke_token(there["revocation_endpoint"], token=following["refresh_token"])
assert revoked.status_code == 200
found = client.introspect_token(there["introspection_endpoint"], token=following["access_token"]).json()
assert found == {"active": False}, found

program = OAuth2Session(robot, robot_secret, scope="reports.read", token_endpoint_auth_method="client_secret_post")
assert program.fetch_token(there["token_endpoint"], grant_type="client_credentials")["scope"] == "reports.read"

begun = requests.post(
    there["device_authorization_endpoint"], data={"client_id": television, "scope": "openid profile"}
).json()
screen = OAuth2Session(television, token_endpoint_auth_method="none")
poll = lambda: screen.fetch_token(there["token_endpoint"], grant_type=DEVICE, device_code=begun["device_code"])
refused(poll, "authorization_pending")
assert allow(begun["verification_uri_complete"]).status_code == 200
assert claims(poll()["id_token"], television)["sub"] == who["sub"]

leave = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "http://127.0.0.1:9/bye", "state": "x"}
left = requests.get(there["end_session_endpoint"], params=leave, cookies=cookies, allow_redirects=False)
assert left.headers["location"] == "http://127.0.0.1:9/bye?state=x", left.headers
address, state = client.create_authorization_url(
    there["authorization_endpoint"], code_verifier=verifier, prompt="none"
)
assert "error=login_required" in allow(address).headers["location"]
print("ok")
