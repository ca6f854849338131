"""PyPI's oidc-provider-mock, as it comes, and a browser that goes there and comes back. What it prints: its
issuer; then, told where to begin, the session that each sign-in ends in."""

import re
import sys
import time

import requests
from oidc_provider_mock import run_server_in_thread

with run_server_in_thread(port=0) as server:
    issuer = f"http://localhost:{server.server_port}"
    print(issuer, int(time.time()), sep="\n", flush=True)
    _, start = sys.stdin.readline().split()
    claims = {"email": "ada@accounts.example", "email_verified": True, "name": "Ada Lovelace"}
    claims["preferred_username"] = "ada"
    requests.put(f"{issuer}/users/1815", json=claims).raise_for_status()
    for _ in range(2):
        browser = requests.Session()
        asked = browser.get(start)
        came = browser.post(asked.url, data={"sub": "1815"})
        session = [cookie.value for cookie in browser.cookies if cookie.name.startswith("stoa_session")]
        print(session[0] if session else re.sub(r"\s+", " ", f"{came.status_code} {came.text}"), flush=True)
        sys.stdin.readline()
