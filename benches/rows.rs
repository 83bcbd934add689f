//! What a row costs from the binlog's bytes to a record's: checksum, decoding and encoding of
//! recorded transactions of 128 rows with 12 columns (`tests/data/binlog/reference.sql`), and of
//! 64 rows with JSON and text in other character sets. Needs no server.
//!
//! The rate in elements per second is rows; its inverse is the time of a row. The budget for
//! checksum, decoding and encoding of the 12 columns is 250 ns a row.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that panics says why")]
#![allow(missing_docs, reason = "criterion's macros make functions without any")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

#[path = "../tests/support/reference.rs"]
mod reference;

use reference::{Stages, groups};

fn rows(criterion: &mut Criterion) {
    for (envelope, format) in [("debezium", ""), ("flat", "envelope = \"flat\"")] {
        let mut stages = Stages::new(format);
        for group in groups() {
            let name = format!("{}/{}", group.table, group.operation.name());
            let mut bench = criterion.benchmark_group(format!("{envelope}/{name}"));
            bench.throughput(Throughput::Elements(group.rows));
            if envelope == "debezium" {
                bench.bench_function("decode", |bencher| {
                    bencher.iter(|| black_box(stages.decode(&group.events)));
                });
            }
            bench.bench_function("decode and encode", |bencher| {
                bencher.iter(|| black_box(stages.encode(&group.events)));
            });
            bench.finish();
        }
    }
}

criterion_group!(benches, rows);
criterion_main!(benches);
