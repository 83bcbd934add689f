//! A column: its type, and how `CREATE TABLE` and `SELECT` write it.

use std::ops::Range;

use testkit::Random;

use super::alphabet::{Alphabets, Collation};
use super::document::GEOMETRIES;
use super::literal;

/// A column of a table under test.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its name, one that Avro allows.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) nullable: bool,
    /// The literal behind DEFAULT.
    pub(super) default: Option<String>,
}

/// What a column stores.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Integer {
        bits: u8,
        unsigned: bool,
        zerofill: bool,
    },
    Decimal {
        precision: u8,
        scale: u8,
        unsigned: bool,
        zerofill: bool,
    },
    /// FLOAT or DOUBLE as they are declared: `FLOAT`, `FLOAT(53)`, `DOUBLE(10,2) UNSIGNED`.
    Float {
        declared: String,
        is_double: bool,
    },
    Bit {
        width: u8,
    },
    Year,
    Date,
    Time {
        fraction: u8,
    },
    DateTime {
        fraction: u8,
    },
    Timestamp {
        fraction: u8,
    },
    /// CHAR, VARCHAR or one of the TEXTs: `VARCHAR(255)`.
    Text {
        declared: String,
        characters_max: u32,
        collation: Collation,
    },
    /// BINARY, VARBINARY or one of the BLOBs.
    Bytes {
        declared: String,
        bytes_max: u32,
    },
    Enum {
        labels: Vec<String>,
        collation: Collation,
    },
    Set {
        labels: Vec<String>,
        collation: Collation,
    },
    /// With `only_json`, documents have nothing but what JSON has a syntax for.
    Json {
        only_json: bool,
    },
    /// GEOMETRY or one of its subtypes.
    Geometry {
        declared: &'static str,
    },
    Vector {
        dimensions: u32,
    },
}

impl Column {
    /// A column of any type.
    pub(super) fn random(
        name: String,
        random: &mut Random,
        alphabets: &Alphabets,
        only_json: bool,
    ) -> Self {
        let kind = Kind::random(random, alphabets, only_json);
        let mut column = Self { name, kind, nullable: !random.is_one_in(3), default: None };
        if column.kind.can_have_default() && random.is_one_in(4) {
            column.default = Some(column.default_literal(random, alphabets));
        }
        column
    }

    /// The same as it stands in CREATE TABLE.
    pub(super) fn definition(&self) -> String {
        let null = if self.nullable { "NULL" } else { "NOT NULL" };
        let default = self.default.as_ref();
        let default = default.map_or_else(String::new, |literal| format!(" DEFAULT {literal}"));
        format!("{} {} {null}{default}", self.name, self.kind.declaration())
    }

    /// A literal for a value, `NULL` or `DEFAULT`.
    pub(super) fn literal(&self, random: &mut Random, alphabets: &Alphabets) -> String {
        match random.in_range(0..12) {
            0 | 1 if self.nullable => "NULL".to_owned(),
            2 if self.default.is_some() => "DEFAULT".to_owned(),
            _ => literal::random(&self.kind, random, alphabets),
        }
    }

    /// A literal that may stand behind DEFAULT, where nothing is brought into range.
    fn default_literal(&self, random: &mut Random, alphabets: &Alphabets) -> String {
        if self.nullable && random.is_one_in(4) {
            return "NULL".to_owned();
        }
        match &self.kind {
            Kind::Enum { labels, .. } | Kind::Set { labels, .. } => {
                quoted(std::slice::from_ref(random.one_of(labels)))
            }
            // Below one: DOUBLE(10,10) has no digit before its point.
            Kind::Float { .. } => (*random.one_of(&["0", "0.5", "0.1", "1e-5"])).to_owned(),
            kind @ Kind::Decimal { .. } => {
                literal::random(kind, random, alphabets).trim_start_matches('-').to_owned()
            }
            // Without a fraction: rounding one up can make another date, which is refused.
            kind @ (Kind::DateTime { .. } | Kind::Timestamp { .. }) => {
                let literal = literal::random(kind, random, alphabets);
                let whole = literal.split('.').next().unwrap_or_default();
                format!("{}'", whole.trim_end_matches('\''))
            }
            kind => literal::random(kind, random, alphabets),
        }
    }

    /// What SELECT is asked for: the column itself, except that a FLOAT prints six digits only.
    pub(super) fn selected(&self) -> String {
        match self.kind {
            Kind::Float { .. } => format!("{} * 1e0", self.name),
            _ => self.name.clone(),
        }
    }
}

impl Kind {
    /// The type with its parameters and its character set.
    pub(super) fn declaration(&self) -> String {
        match self {
            Self::Integer { bits, unsigned, zerofill } => {
                let name = match bits {
                    8 => "TINYINT",
                    16 => "SMALLINT",
                    24 => "MEDIUMINT",
                    32 => "INT",
                    _ => "BIGINT",
                };
                format!("{name}{}", signedness(*unsigned, *zerofill))
            }
            Self::Decimal { precision, scale, unsigned, zerofill } => {
                format!("DECIMAL({precision},{scale}){}", signedness(*unsigned, *zerofill))
            }
            Self::Float { declared, .. } | Self::Bytes { declared, .. } => declared.clone(),
            Self::Bit { width } => format!("BIT({width})"),
            Self::Year => "YEAR".to_owned(),
            Self::Date => "DATE".to_owned(),
            Self::Time { fraction } => format!("TIME({fraction})"),
            Self::DateTime { fraction } => format!("DATETIME({fraction})"),
            Self::Timestamp { fraction } => format!("TIMESTAMP({fraction})"),
            Self::Text { declared, collation, .. } => {
                format!("{declared} {}", collation.declaration())
            }
            Self::Enum { labels, collation } => {
                format!("ENUM({}) {}", quoted(labels), collation.declaration())
            }
            Self::Set { labels, collation } => {
                format!("SET({}) {}", quoted(labels), collation.declaration())
            }
            Self::Json { .. } => "JSON".to_owned(),
            Self::Geometry { declared } => (*declared).to_owned(),
            Self::Vector { dimensions } => format!("VECTOR({dimensions})"),
        }
    }

    fn random(random: &mut Random, alphabets: &Alphabets, only_json: bool) -> Self {
        let fraction = edge(random, &[], 0..7);
        match random.in_range(0..18) {
            0 | 1 => {
                let zerofill = random.is_one_in(6);
                let unsigned = zerofill || random.is_one_in(2);
                Self::Integer { bits: *random.one_of(&[8, 16, 24, 32, 64]), unsigned, zerofill }
            }
            2 => {
                let precision = edge(random, &[1, 9, 10, 18, 19, 38, 65], 1..66);
                let scale_max = precision.min(30);
                let scale = edge(random, &[0, scale_max], 0..scale_max + 1);
                let unsigned = random.is_one_in(5);
                let zerofill = unsigned && random.is_one_in(2);
                Self::Decimal { precision, scale, unsigned, zerofill }
            }
            3 => random_float(random),
            4 => Self::Bit { width: edge(random, &[1, 8, 9, 64], 1..65) },
            5 => random.one_of(&[Self::Year, Self::Date]).clone(),
            6 => Self::Time { fraction },
            7 => Self::DateTime { fraction },
            8 => Self::Timestamp { fraction },
            9 | 10 => random_text(random, alphabets),
            11 => random_bytes(random),
            12 => {
                let count = edge(random, &[1, 2, 255, 256, 300], 1..40);
                let (labels, collation) = random_labels(random, alphabets, count, true);
                Self::Enum { labels, collation }
            }
            13 => {
                let count = edge(random, &[1, 8, 9, 63, 64], 1..65);
                let (labels, collation) = random_labels(random, alphabets, count, false);
                Self::Set { labels, collation }
            }
            14 => {
                let &declared = random.one_of(GEOMETRIES);
                Self::Geometry { declared }
            }
            15 => Self::Vector { dimensions: edge(random, &[1, 3, 200], 1..99) },
            _ => Self::Json { only_json },
        }
    }

    /// Whether a column can have a literal behind DEFAULT: TEXT and BLOB cannot.
    fn can_have_default(&self) -> bool {
        match self {
            Self::Text { declared, .. } | Self::Bytes { declared, .. } => {
                !declared.ends_with("TEXT") && !declared.ends_with("BLOB")
            }
            Self::Json { .. } | Self::Geometry { .. } | Self::Vector { .. } => false,
            _ => true,
        }
    }

    /// Whether a key can have it.
    pub(super) fn can_be_in_key(&self) -> bool {
        !matches!(self, Self::Json { .. } | Self::Geometry { .. } | Self::Vector { .. })
    }

    /// How many characters or bytes of it a key takes; `None` for a type that is taken whole.
    pub(super) fn key_prefix(&self) -> Option<u32> {
        match self {
            Self::Text { characters_max, .. } => Some((*characters_max).clamp(1, 20)),
            Self::Bytes { bytes_max, .. } => Some((*bytes_max).clamp(1, 20)),
            _ => None,
        }
    }
}

fn signedness(unsigned: bool, zerofill: bool) -> &'static str {
    match (unsigned, zerofill) {
        (_, true) => " UNSIGNED ZEROFILL",
        (true, false) => " UNSIGNED",
        (false, false) => "",
    }
}

/// A number of some where something changes or, as often as each of them twice, of a range.
fn edge<T: Copy + Into<u64> + TryFrom<u64>>(
    random: &mut Random,
    edges: &[T],
    range: Range<T>,
) -> T {
    let anywhere = random.in_range(range.start.into()..range.end.into());
    let anywhere = T::try_from(anywhere).ok().expect("it is in the range");
    *random.one_of(&[edges, &[anywhere, anywhere]].concat())
}

fn random_float(random: &mut Random) -> Kind {
    let (name, is_double) = *random.one_of(&[("FLOAT", false), ("DOUBLE", true)]);
    let declared = match random.in_range(0..4) {
        0 => format!("{name}({},{})", random.in_range(10..31), random.in_range(0..11)),
        1 if is_double => "REAL".to_owned(),
        1 => format!("FLOAT({})", random.in_range(1..54)),
        2 => format!("{name} UNSIGNED"),
        _ => name.to_owned(),
    };
    Kind::Float { declared, is_double }
}

fn random_text(random: &mut Random, alphabets: &Alphabets) -> Kind {
    let collation = alphabets.random_collation(random);
    let length: u32 = edge(random, &[1, 63, 64, 85, 86, 127, 128, 255, 256], 1..300);
    let (declared, characters_max) = match random.in_range(0..8) {
        0 | 1 => (format!("CHAR({})", length.min(255)), length.min(255)),
        2..5 => (format!("VARCHAR({length})"), length),
        5 => ("TINYTEXT".to_owned(), 255 / collation.bytes_max),
        6 => ("TEXT".to_owned(), 400),
        _ => ((*random.one_of(&["MEDIUMTEXT", "LONGTEXT"])).to_owned(), 400),
    };
    Kind::Text { declared, characters_max, collation }
}

fn random_bytes(random: &mut Random) -> Kind {
    let length: u32 = edge(random, &[1, 127, 128, 255, 256], 1..300);
    let (declared, bytes_max) = match random.in_range(0..6) {
        0 | 1 => (format!("BINARY({})", length.min(255)), length.min(255)),
        2 | 3 => (format!("VARBINARY({length})"), length),
        4 => ("TINYBLOB".to_owned(), 255),
        _ => ((*random.one_of(&["BLOB", "MEDIUMBLOB", "LONGBLOB"])).to_owned(), 400),
    };
    Kind::Bytes { declared, bytes_max }
}

/// Labels that no collation takes for equal, because each starts with its own number.
fn random_labels(
    random: &mut Random,
    alphabets: &Alphabets,
    count: u64,
    with_commas: bool,
) -> (Vec<String>, Collation) {
    let collation = alphabets.random_collation(random);
    let labels = (0..count).map(|number| {
        let characters = random.in_range(0..6);
        let text = alphabets.text(&collation, random, characters);
        // Some collations have other tables than their set's default one for control characters.
        let text: String = text.chars().filter(|it| !('\u{7f}'..'\u{a0}').contains(it)).collect();
        let text = if with_commas { text } else { text.replace(',', "") };
        format!("{number}{}", text.trim_end())
    });
    (labels.collect(), collation)
}

fn quoted(labels: &[String]) -> String {
    let quoted = labels.iter().map(|label| {
        let label = label.replace('\\', "\\\\").replace('\'', "''").replace('\0', "\\0");
        format!("'{label}'")
    });
    quoted.collect::<Vec<_>>().join(",")
}
