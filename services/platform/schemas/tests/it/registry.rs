//! Clients of Confluent's Schema Registry.
