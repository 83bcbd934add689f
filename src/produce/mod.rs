//! 5. Kafka: librdkafka settings, transactions, delivery reports, topics.
