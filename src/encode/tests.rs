//! The bytes of whole messages.

use super::{Encoder, Message, SchemaId, SchemaIds, TablePlan};
use crate::model::{
    change::{Operation, RowsOrigin, Transaction},
    record::{Field, FieldKind, RecordShape},
    table::TableName,
    value::{RowImages, Value},
};

/// Images given as lists of values.
struct Images<'a> {
    images: std::vec::IntoIter<Vec<Value<'a>>>,
    values: std::vec::IntoIter<Value<'a>>,
}

impl<'a> Images<'a> {
    fn new(images: Vec<Vec<Value<'a>>>) -> Self {
        Self { images: images.into_iter(), values: Vec::new().into_iter() }
    }
}

impl RowImages for Images<'_> {
    type Error = &'static str;

    fn next_image(&mut self) -> Result<(), Self::Error> {
        assert_eq!(self.values.len(), 0, "the image before was not read to its end");
        self.values = self.images.next().ok_or("no image")?.into_iter();
        Ok(())
    }

    fn next_value(&mut self) -> Result<Value<'_>, Self::Error> {
        self.values.next().ok_or("no value")
    }
}

fn field(name: &str, kind: FieldKind) -> Field {
    Field {
        column: name.to_owned(),
        name: name.to_owned(),
        kind,
        nullable: false,
        default: None,
        in_value: true,
    }
}

fn shape(fields: Vec<Field>, key: &[usize]) -> RecordShape {
    RecordShape {
        table: TableName { database: "inventory".into(), table: "customers".into() },
        topic: "dbserver1.inventory.customers".into(),
        namespace: "dbserver1.inventory.customers".into(),
        columns: fields.into_iter().map(Some).collect(),
        key: key.to_vec(),
        tombstones: true,
    }
}

const IDS: SchemaIds = SchemaIds { key: Some(SchemaId(7)), value: SchemaId(0x0102_0304) };

fn transaction() -> Transaction {
    Transaction {
        gtid_text: "0e4d5dcd-a33b-11ea-80f1-02010a22a99e:10".into(),
        commit_time_us: 1_700_000_000_000_000,
        thread_id: Some(7),
        server_id: 223_344,
        ..Transaction::default()
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

#[test]
fn a_create_has_exactly_the_bytes_of_confluents_converter() {
    let names = ["first_name", "last_name", "email"];
    let mut fields = vec![field("id", FieldKind::Int32)];
    fields.extend(names.map(|name| field(name, FieldKind::Text)));
    let plan = TablePlan::compile(&shape(fields, &[0]), IDS);
    let mut encoder = Encoder::new("dbserver1", "3.6.1.Final");
    let transaction = transaction();
    let origin = RowsOrigin { transaction: &transaction, file: "mysql-bin.000003", offset: 154 };
    encoder.start_event(&plan, &origin, 1_700_000_000_123_456_789);
    let texts = ["Anne", "Kretchmar", "annek@noanswer.org"].map(Value::Text);
    let row = std::iter::once(Value::Int(1004)).chain(texts).collect();
    let mut images = Images::new(vec![row]);
    let messages: Vec<Message<'_>> =
        encoder.row(&plan, Operation::Insert, 0, &mut images).unwrap().collect();
    let [Message { key: Some(key), value: Some(value), header: None }] = messages[..] else {
        panic!("{messages:?}");
    };
    assert_eq!(key, bytes("0000000007d80f"));
    assert_eq!(
        value,
        bytes(concat!(
            "0001020304",
            "0002d80f08416e6e65124b72657463686d617224616e6e656b406e6f616e737765722e6f726716332e36",
            "2e312e46696e616c0a6d7973716c1264627365727665723180a0abfef962000a66616c736512696e7665",
            "6e746f727900028080f28183898506028080d0e2c6bfce972f0212637573746f6d657273e0a11b024e30",
            "653464356463642d613333622d313165612d383066312d3032303130613232613939653a3130206d7973",
            "716c2d62696e2e303030303033b40200020e0000026302f6a1abfef96202808981828389850602aab4ae",
            "d8c7bfce972f",
        ))
    );
}
