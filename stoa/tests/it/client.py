"""A client in Python. All that it knows of the node, it learns by reflection."""

import json
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

address, token = sys.argv[1:]
channel = grpc.insecure_channel(address)
database = ProtoReflectionDescriptorDatabase(channel)
pool = descriptor_pool.DescriptorPool(database)


def message(name):
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def call(service, method, **fields):
    found = pool.FindServiceByName(service).FindMethodByName(method)
    request = message_factory.GetMessageClass(found.input_type)(**fields)
    ask = channel.unary_unary(
        f"/{service}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(found.output_type).FromString,
    )
    return ask(request, metadata=[("authorization", f"Bearer {token}")], timeout=60)


def details(error):
    """The typed details of an error, by the names of their messages."""
    found = {}
    for detail in rpc_status.from_call(error).details:
        name = detail.type_url.rpartition("/")[2]
        found[name] = json_format.MessageToDict(message(name).FromString(detail.value))
    return found


said = call("stoa.auth.v1.AuthService", "WhoAmI")
try:
    call("stoa.ledger.v1.LedgerService", "CreateAccount", code="cash", currency="euro", kind=1)
    sys.exit("a currency that is none was accepted")
except grpc.RpcError as error:
    failed = {"code": error.code().name, "details": details(error)}
services = sorted(database.get_services())
print(json.dumps({"services": services, "subject": said.subject, "failed": failed}))
