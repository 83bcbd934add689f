//! A table as it was at one point of the binlog.
//!
//! Made by `decode` from a TABLE_MAP event's FULL metadata, decorated by `catalog` with what the
//! event does not carry, and read by `map`. Two events with equal bytes share one version.

/// Number of a table version within one run of the pipeline, from 0 and without gaps: plans are
/// kept in a vector by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableVersionId(pub u32);

/// A table's database and name, as the binlog spells them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableName {
    /// Database.
    pub database: String,
    /// Table.
    pub table: String,
}

/// A table's columns, types and key at one point of the binlog.
#[derive(Clone, Debug, PartialEq)]
pub struct TableVersion {
    /// Which table.
    pub name: TableName,
    /// Columns in table order, invisible and generated ones too.
    pub columns: Vec<Column>,
    /// Indexes into `columns` of the primary key's columns in the key's order. Without one, MySQL
    /// takes the first unique index whose columns are all NOT NULL and not cut to a prefix; empty
    /// without that one too.
    pub primary_key: Vec<usize>,
    /// What FULL metadata lacks; `None` until the catalog has proved to describe this version.
    pub decoration: Option<Decoration>,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it stores.
    pub kind: ColumnKind,
    /// Whether it accepts NULL.
    pub nullable: bool,
}

/// What a column stores, as far as a value's meaning goes.
///
/// Display widths are not here: MySQL keeps them for show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// TINYINT (8 bits), SMALLINT (16), MEDIUMINT (24), INT (32), BIGINT (64).
    Int {
        /// 8, 16, 24, 32 or 64.
        bits: u8,
        /// UNSIGNED.
        unsigned: bool,
    },
    /// FLOAT. FLOAT(M,D) looks the same in the binlog; the catalog knows.
    Float,
    /// DOUBLE.
    Double,
    /// DECIMAL(precision, scale).
    Decimal {
        /// 1 to 65.
        precision: u8,
        /// 0 to 30.
        scale: u8,
    },
    /// BIT(width).
    Bit {
        /// 1 to 64.
        width: u8,
    },
    /// YEAR.
    Year,
    /// DATE.
    Date,
    /// TIME(fraction).
    Time {
        /// Digits after the second's point, 0 to 6.
        fraction: u8,
    },
    /// DATETIME(fraction).
    DateTime {
        /// Digits after the second's point, 0 to 6.
        fraction: u8,
    },
    /// TIMESTAMP(fraction).
    Timestamp {
        /// Digits after the second's point, 0 to 6.
        fraction: u8,
    },
    /// CHAR, VARCHAR and TEXT.
    Text,
    /// BINARY(length): values are padded with zeros to this many bytes.
    Binary {
        /// Bytes.
        length: u32,
    },
    /// VARBINARY and BLOB.
    Bytes,
    /// ENUM with its labels, decoded from the column's character set.
    Enum(Vec<String>),
    /// SET with its labels, decoded from the column's character set.
    Set(Vec<String>),
    /// JSON.
    Json,
    /// GEOMETRY and its subtypes.
    Geometry {
        /// POINT, whose records show the coordinates.
        is_point: bool,
    },
    /// VECTOR.
    Vector,
    /// A type that is not read, by its name.
    Unsupported(&'static str),
}

impl ColumnKind {
    /// MySQL 9.7 leaves the bytes of labels as they were when a table is converted to another
    /// character set, and labels of the collation `binary` can be any bytes.
    pub const UNREADABLE_LABELS: Self =
        Self::Unsupported("ENUM or SET with a label that is no text in its character set");
}

/// What `information_schema` adds to a version: proved to be of the same version by equal column
/// names, types and order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoration {
    /// One entry for each column, in table order.
    pub columns: Vec<ColumnDecoration>,
    /// Columns of the first unique index whose columns are all NOT NULL, in index order; empty
    /// without one. It is the key of a table that has no primary key.
    pub unique_key: Vec<usize>,
}

/// What `information_schema` adds to a column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnDecoration {
    /// The declared default as text, `None` without one or with an expression. `NULL` is none.
    pub default: Option<String>,
    /// Whether the default is CURRENT_TIMESTAMP.
    pub default_is_now: bool,
    /// FLOAT(M,D): delivered as a double, as Debezium does.
    pub float_as_double: bool,
    /// The spatial reference system that a geometry column demands.
    pub srid: Option<u32>,
}

impl TableName {
    /// The name as a source with `lower_case_table_names` compares it.
    #[must_use]
    pub fn to_lowercase(&self) -> Self {
        Self { database: self.database.to_lowercase(), table: self.table.to_lowercase() }
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}
