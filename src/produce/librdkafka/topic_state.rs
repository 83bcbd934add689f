//! The present state of topics: their ids, their partitions, the ends of their logs.

use std::{collections::BTreeMap, ffi::CString, time::Duration};

use rdkafka::{bindings as sys, error::RDKafkaErrorCode};

use super::{
    admin::{Request, array},
    handle::Handle,
    native_error::{NativeError, copied, succeeded},
    owned::Owned,
};

/// A topic's id, if brokers give one (Kafka 2.8 and later), and the number of its partitions; or
/// why nothing is known of it.
pub(in crate::produce) type Described = Result<(Option<String>, usize), RDKafkaErrorCode>;

/// By topic and partition, the next offset that its log gives; or why it is not known.
pub(in crate::produce) type Ends = BTreeMap<(String, i32), Result<i64, RDKafkaErrorCode>>;

impl<'a> Request<'a> {
    /// Requests the description of topics; the answer is [`Request::topics`].
    pub(in crate::produce) fn describe_topics(
        client: &'a Handle,
        names: &[CString],
        patience: Duration,
    ) -> Result<Self, NativeError> {
        let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let request = Self::new(client, operation, patience)?;
        let mut names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: every name ends in zero; librdkafka copies them; the collection is ours.
        let topics = unsafe {
            let names = (names.as_mut_ptr(), names.len());
            let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.0, names.1);
            Owned::new(topics, sys::rd_kafka_TopicCollection_destroy)
        };
        let topics = topics.ok_or_else(NativeError::no_memory)?;
        // SAFETY: everything is valid; librdkafka copies the collection.
        unsafe {
            let (options, answers) = (request.options(), request.answers());
            sys::rd_kafka_DescribeTopics(
                client.client.native_ptr(),
                topics.get(),
                options,
                answers,
            );
        }
        Ok(request)
    }

    /// Requests the ends of partitions; the answer is [`Request::ends`].
    pub(in crate::produce) fn list_ends(
        client: &'a Handle,
        partitions: &[(CString, i32)],
        patience: Duration,
    ) -> Result<Self, NativeError> {
        let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS;
        let request = Self::new(client, operation, patience)?;
        // SAFETY: a new list is ours.
        let list = unsafe {
            let list = sys::rd_kafka_topic_partition_list_new(0);
            Owned::new(list, sys::rd_kafka_topic_partition_list_destroy)
        };
        let list = list.ok_or_else(NativeError::no_memory)?;
        for (name, partition) in partitions {
            // SAFETY: the list is valid, the name ends in zero and is copied; the entry belongs to
            // the list.
            unsafe {
                let list = list.get();
                let entry = sys::rd_kafka_topic_partition_list_add(list, name.as_ptr(), *partition);
                (*entry).offset = LATEST;
            }
        }
        // SAFETY: everything is valid; librdkafka copies the list.
        unsafe {
            let (options, answers) = (request.options(), request.answers());
            sys::rd_kafka_ListOffsets(client.client.native_ptr(), list.get(), options, answers);
        }
        Ok(request)
    }
}

impl Request<'_> {
    /// What the topics are, by name; `None` if there is no answer yet.
    pub(in crate::produce) fn topics(
        &self,
        patience: Duration,
    ) -> Option<Result<BTreeMap<String, Described>, NativeError>> {
        let event = self.poll(patience)?;
        let (mut count, mut topics) = (0, BTreeMap::new());
        // SAFETY: librdkafka answers null to an event of another kind and counts nothing in null;
        // everything that is read belongs to the event.
        let described = event.error().map(|()| unsafe {
            let result = sys::rd_kafka_event_DescribeTopics_result(event.get());
            let found = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
            for &topic in array(found, count) {
                let name = copied(sys::rd_kafka_TopicDescription_name(topic));
                topics.insert(name, described(topic));
            }
        });
        Some(described.map(|()| topics))
    }

    /// The ends of the partitions; `None` if there is no answer yet.
    pub(in crate::produce) fn ends(&self, patience: Duration) -> Option<Result<Ends, NativeError>> {
        let event = self.poll(patience)?;
        let (mut count, mut ends) = (0, BTreeMap::new());
        // SAFETY: as in `topics`.
        let listed = event.error().map(|()| unsafe {
            let result = sys::rd_kafka_event_ListOffsets_result(event.get());
            let found = sys::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
            for &info in array(found, count) {
                let entry = sys::rd_kafka_ListOffsetsResultInfo_topic_partition(info);
                let place = (copied((*entry).topic), (*entry).partition);
                // As for failed deliveries: a newer broker's code may be none of the enum's.
                let code = (&raw const (*entry).err).cast::<i32>().read();
                let end = match sys::rd_kafka_resp_err_t::try_from(code) {
                    Ok(code) => succeeded(code).map(|()| (*entry).offset),
                    Err(_) => Err(RDKafkaErrorCode::Unknown),
                };
                ends.insert(place, end);
            }
        });
        Some(listed.map(|()| ends))
    }
}

/// What is said of a topic.
///
/// # Safety
/// `topic` must be valid.
unsafe fn described(topic: *const sys::rd_kafka_TopicDescription_t) -> Described {
    // SAFETY: promised by the caller; the error, the id and its text belong to the topic.
    unsafe {
        let error = sys::rd_kafka_TopicDescription_error(topic);
        if !error.is_null() {
            succeeded(sys::rd_kafka_error_code(error))?;
        }
        let mut partitions = 0;
        sys::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        let halves = [
            sys::rd_kafka_Uuid_most_significant_bits(id),
            sys::rd_kafka_Uuid_least_significant_bits(id),
        ];
        // Brokers before 2.8 have no ids; librdkafka's is all zero then.
        let id = (halves != [0, 0]).then(|| copied(sys::rd_kafka_Uuid_base64str(id)));
        Ok((id, partitions))
    }
}

/// The end of a log, as `ListOffsets` calls it (`RD_KAFKA_OFFSET_SPEC_LATEST`).
const LATEST: i64 = -1;
