"""A client of OpenFGA, as it comes, on a node on which another one has written a model and relations."""

import sys

from openfga_sdk import ReadRequestTupleKey
from openfga_sdk.client import ClientConfiguration
from openfga_sdk.client.models import ClientCheckRequest, ClientListObjectsRequest, ClientTuple, ClientWriteRequest
from openfga_sdk.credentials import CredentialConfiguration, Credentials
from openfga_sdk.exceptions import ValidationException
from openfga_sdk.sync import OpenFgaClient

url, token = sys.argv[1:]
credentials = Credentials(method="api_token", configuration=CredentialConfiguration(api_token=token))
with OpenFgaClient(ClientConfiguration(api_url=f"{url}/fga", credentials=credentials)) as plain:
    store = plain.list_stores().stores[0].id

configuration = ClientConfiguration(api_url=f"{url}/fga", store_id=store, credentials=credentials)
with OpenFgaClient(configuration) as fga:
    model = fga.read_latest_authorization_model().authorization_model
    names = [each.type for each in model.type_definitions]
    assert names == ["document", "folder", "group", "user"], names
    blocked = model.type_definitions[0].metadata.relations["blocked"]
    assert blocked.directly_related_user_types[0].type == "user", blocked

    carol = ClientTuple(user="user:carol", relation="member", object="group:staff")
    fga.write(ClientWriteRequest(writes=[carol]))
    asked = ClientCheckRequest(user="user:carol", relation="viewer", object="document:plan")
    assert fga.check(asked).allowed
    every = ClientListObjectsRequest(user="user:carol", relation="viewer", type="document")
    assert sorted(fga.list_objects(every).objects) == ["document:list", "document:plan"]
    tuples = fga.read(ReadRequestTupleKey(object="group:staff")).tuples
    assert [each.key.user for each in tuples] == ["user:carol"], tuples
    fga.write(ClientWriteRequest(deletes=[carol]))
    assert not fga.check(asked).allowed
    try:
        fga.write(ClientWriteRequest(deletes=[carol]))
        sys.exit("what is not there was deleted")
    except ValidationException as error:
        assert error.status == 400, error
print("ok")
