"""PyPI's confluent-kafka, as it comes: its client of the registry, and what it serialises by it."""

import sys

from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

url, token = sys.argv[1:]
registry = SchemaRegistryClient({
    "url": f"{url}/schema-registry",
    "bearer.auth.credentials.source": "STATIC_TOKEN",
    "bearer.auth.token": token,
    "bearer.auth.logical.cluster": "none",
    "bearer.auth.identity.pool.id": "none",
})


def refused(status, code, ask, *arguments, **named):
    try:
        ask(*arguments, **named)
    except SchemaRegistryError as error:
        assert (error.http_status_code, error.error_code) == (status, code), error
    else:
        sys.exit(f"{code} was expected")


ORDER = '{"title": "Order", "type": "object", "properties": {"total": {"type": "integer"}}, "additionalProperties": false}'
MORE = '{"title": "Order", "type": "object", "properties": {"total": {"type": "number"}, "note": {"type": "string"}}, "additionalProperties": false}'
OTHER = '{"title": "Order", "type": "object", "properties": {"total": {"type": "string"}}, "additionalProperties": false}'
order, more, other = (Schema(text, "JSON") for text in (ORDER, MORE, OTHER))

refused(404, 40401, registry.get_versions, "orders-value")
serializer = JSONSerializer(ORDER, registry)
context = SerializationContext("orders", MessageField.VALUE)
message = serializer({"total": 7}, context)
assert message[:5] == b"\x00\x00\x00\x00\x01", message
assert JSONDeserializer(ORDER, schema_registry_client=registry)(message, context) == {"total": 7}
assert registry.register_schema("orders-value", order) == 1
assert registry.get_schema(1).schema_str == ORDER
assert registry.lookup_schema("orders-value", order).version == 1
refused(404, 40403, registry.lookup_schema, "orders-value", more)
refused(404, 40403, registry.get_schema, 99)
refused(404, 40402, registry.get_version, "orders-value", 9)

assert registry.test_compatibility("orders-value", more)
assert not registry.test_compatibility("orders-value", other)
refused(409, 409, registry.register_schema, "orders-value", other)
refused(422, 42201, registry.register_schema, "orders-value", Schema('{"type": "text"}', "JSON"))
refused(422, 42201, registry.register_schema, "orders-value", Schema('{"type": "string"}', "AVRO"))
assert registry.register_schema("orders-value", more) == 2
assert registry.get_latest_version("orders-value").schema_id == 2
assert registry.get_subjects() == ["orders-value"] and registry.get_versions("orders-value") == [1, 2]

refused(404, 40408, registry.get_config, "orders-value")
assert registry.get_config().compatibility_level == ConfigCompatibilityLevel.BACKWARD
registry.set_config("orders-value", ServerConfig(compatibility=ConfigCompatibilityLevel.NONE))
assert registry.get_config("orders-value").compatibility_level == ConfigCompatibilityLevel.NONE
assert registry.register_schema("orders-value", other) == 3

refused(404, 40407, registry.delete_version, "orders-value", 3, permanent=True)
assert registry.delete_version("orders-value", 3) == 3
refused(404, 40406, registry.delete_version, "orders-value", 3)
refused(404, 40405, registry.delete_subject, "orders-value", permanent=True)
assert registry.delete_subject("orders-value") == [1, 2]
refused(404, 40404, registry.delete_subject, "orders-value")
assert registry.delete_subject("orders-value", permanent=True) == [1, 2, 3]
refused(404, 40401, registry.get_versions, "orders-value")
print("ok")
