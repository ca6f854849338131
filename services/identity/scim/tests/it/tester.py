"""PyPI's scim2-tester, as it comes, over scim2-client."""

import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

address, key = sys.argv[1:]
http = Client(base_url=address, headers={"Authorization": f"Bearer {key}"})
scim = SyncSCIMClient(http)
scim.discover()
results = check_server(scim)
good = [result for result in results if result.status == Status.SUCCESS]
wrong = [result for result in results if result.status not in (Status.SUCCESS, Status.SKIPPED)]
for result in wrong:
    print(result.status, result.title, result.reason, result.data)
print(f"{len(good)} checks pass, {len(results) - len(good) - len(wrong)} do not apply,", "and no error" if not wrong else "")
sys.exit(bool(wrong) or len(good) < 50)
