//! 4. Bytes: Avro writer, schema text, table plan, registry client.
