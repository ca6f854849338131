"""PyPI's cloudevents, as it comes: an event that it writes is appended to a case, once."""

import json
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.v1.event import CloudEvent

url, token = sys.argv[1:]


def ask(path, body=None, kind="application/json"):
    request = Request(f"{url}{path}", body, {"authorization": f"Bearer {token}", "content-type": kind})
    with urlopen(request) as answer:
        return json.load(answer)


schema = {"schema": json.dumps({"type": "object", "properties": {"amount": {"type": "integer"}}})}
ask("/v1/schemas/subjects/application.received/versions", json.dumps(schema).encode())
attributes = {"source": "/web", "type": "application.received", "subject": "case-1", "id": "p-1",
              "datacontenttype": "application/json"}
for data, status in [({"amount": 1850}, 200), ({"amount": 1850}, 200), ({"amount": "much"}, 400)]:
    name = "p-1" if status == 200 else "p-2"
    message = to_structured_event(CloudEvent({**attributes, "id": name}, data))
    try:
        posted = ask("/v1/cases/events", message.body, message.headers["content-type"])
        assert (status, posted["seq"]) == (200, "1"), posted
    except HTTPError as error:
        assert error.code == status, error
events = ask("/v1/cases/cases/case-1/events")["events"]
assert [(event["id"], event["data"]) for event in events] == [("p-1", {"amount": 1850})], events
print("ok")
