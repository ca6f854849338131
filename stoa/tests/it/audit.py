"""Checks the audit log of a node with a Merkle tree that somebody else wrote."""

import base64
import json
import sys
import time

import requests
from pymerkle import InmemoryTree

url, token, least = sys.argv[1:]
session = requests.Session()
session.headers["Authorization"] = f"Bearer {token}"


def ask(verb, path, **fields):
    body = {"params": fields} if verb == "GET" else {"json": fields}
    answer = session.request(verb, f"{url}/v1/audit/{path}", timeout=60, **body)
    answer.raise_for_status()
    return answer.json()


def raw(text):
    return base64.b64decode(text)


# What was committed is in the tree within a second; until then there may be none.
head = {"size": "0"}
while int(head["size"]) <= int(least):
    time.sleep(0.05)
    head = session.get(f"{url}/v1/audit/head", timeout=60).json().get("head", head)
size = int(head["size"])
tree = InmemoryTree(algorithm="sha256")
roots = []
for index in range(size):
    entry = ask("POST", f"entries/{index}:read")["entry"]
    tree.append_entry(raw(entry["leaf"]))
    roots.append(tree.get_root())

told = {"entries": size, "root": roots[-1] == raw(head["rootHash"]), "proofs": 0, "earlier": 0}
for first in range(1, size + 1):
    proof = ask("GET", "proofs:consistency", firstSize=first, secondSize=size)
    told["earlier"] += roots[first - 1] == raw(proof["firstHash"])
for index in range(size):
    proof = ask("GET", "proofs:inclusion", leafIndex=index, size=size)
    # Theirs begins with the leaf.
    ours = [raw(step) for step in [proof["leafHash"], *proof.get("hashes", [])]]
    theirs = tree.prove_inclusion(index + 1, size).serialize()["path"]
    told["proofs"] += sorted(step.hex() for step in ours) == sorted(theirs)
print(json.dumps(told))
