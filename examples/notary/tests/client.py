"""Python's gRPC uploads a document in pieces and asks for it in a session. All that it knows of the node,
it learns by reflection."""

import hashlib
import json
import queue
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

SERVICE = "stoa.notary.v1.NotaryService"
channel = grpc.insecure_channel(sys.argv[1])
pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))


def method(kind, name):
    """A way to call a method, and the class of what it takes."""
    found = pool.FindServiceByName(SERVICE).FindMethodByName(name)
    call = getattr(channel, kind)(
        f"/{SERVICE}/{name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(found.output_type).FromString,
    )
    return call, message_factory.GetMessageClass(found.input_type)


register, piece = method("stream_unary", "Register")
pieces = [bytes([n]) * 60_000 for n in range(20)]
seen = register((piece(piece=one) for one in pieces), timeout=60)
assert seen.document.hash == hashlib.sha256(b"".join(pieces)).hexdigest(), seen

# A session: each question is asked only once the one before was answered.
ask, question = method("stream_stream", "Ask")
questions = queue.Queue()
answers = ask(iter(questions.get, None), timeout=60)
known = []
for hash in [seen.document.hash, "0" * 64, seen.document.hash]:
    questions.put(question(hash=hash))
    answer = next(answers)
    assert answer.hash == hash
    known.append(answer.HasField("document"))
questions.put(None)
assert list(answers) == []

# What is wrong ends the session, and the client is told.
questions = iter([question(hash=seen.document.hash), question(hash="none")])
try:
    list(ask(questions, timeout=60))
    sys.exit("a hash that is none was accepted")
except grpc.RpcError as error:
    failed = error.code().name

# Whoever cancels an upload has uploaded nothing.
endless = register.future(piece(piece=b"x") for _ in iter(int, 1))
endless.cancel()
print(json.dumps({"document": json_format.MessageToDict(seen.document), "known": known, "failed": failed}))
