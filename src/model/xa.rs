//! XA transactions that are prepared and not decided: the binlog has their rows, in a group of
//! their own, long before their outcome is known.

use std::{collections::BTreeMap, fmt, str::FromStr};

use thiserror::Error;

use super::{
    gtid::{Gtid, GtidSet, ServerUuid},
    position::FilePosition,
};

/// Most bytes of each of a name's two parts (X/Open XA, `MAXGTRIDSIZE` and `MAXBQUALSIZE`).
pub const PART_BYTES_MAX: usize = 64;

/// The name of an XA transaction, in the form in which the server writes it: `X'…',X'…',1`, with
/// the global part, the branch part and the number of the format.
///
/// Applications choose it, so it is data: it is not shown in logs, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Xid(Box<str>);

/// Text that is no XA transaction's name.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not the name of an XA transaction")]
pub struct XidParseError;

/// An XA transaction that is prepared: where its rows are.
///
/// Made at XA PREPARE, saved with the position, dropped when XA COMMIT or XA ROLLBACK decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedTransaction {
    /// The GTID of its XA PREPARE; `None` for an anonymous one, which only `begin` names.
    pub gtid: Option<Gtid>,
    /// The server that `begin` belongs to.
    pub server_uuid: ServerUuid,
    /// Where its rows' group begins.
    pub begin: FilePosition,
    /// When it was prepared, in microseconds since the epoch.
    pub time_us: u64,
    /// Whether it changed captured tables.
    pub has_rows: bool,
    /// Whether this was saved by an earlier run, which may have captured other tables.
    pub is_restored: bool,
}

/// The XA transactions that are prepared, by name.
pub type PreparedTransactions = BTreeMap<Xid, PreparedTransaction>;

impl Xid {
    /// The name with these parts; `None` if one of them is too long.
    pub fn new(format: u64, global: &[u8], branch: &[u8]) -> Option<Self> {
        use fmt::Write as _;
        if PART_BYTES_MAX < global.len() || PART_BYTES_MAX < branch.len() {
            return None;
        }
        let mut text = String::new();
        for part in [global, branch] {
            text.push_str("X'");
            for byte in part {
                write!(text, "{byte:02x}").expect("writing to a String cannot fail");
            }
            text.push_str("',");
        }
        write!(text, "{format}").expect("writing to a String cannot fail");
        Some(Self(text.into()))
    }

    /// The name as the server writes it, for the saved position only.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same name as an XA_PREPARE event has it, with the low half of the format's number.
    #[must_use]
    pub fn in_event(&self) -> Self {
        let split = self.0.rsplit_once(',').and_then(|(parts, format)| {
            let format: u64 = format.parse().ok()?;
            Some(Self(format!("{parts},{}", format & u64::from(u32::MAX)).into()))
        });
        split.unwrap_or_else(|| self.clone())
    }
}

impl FromStr for Xid {
    type Err = XidParseError;

    fn from_str(text: &str) -> Result<Self, XidParseError> {
        let mut parts = text.split(',');
        let mut part = || parts.next().map(str::trim).ok_or(XidParseError);
        let (global, branch, format) = (bytes(part()?)?, bytes(part()?)?, part()?);
        let is_number = format.bytes().all(|byte| byte.is_ascii_digit());
        let format = format.parse().ok().filter(|_| is_number).ok_or(XidParseError)?;
        if parts.next().is_some() {
            return Err(XidParseError);
        }
        Self::new(format, &global, &branch).ok_or(XidParseError)
    }
}

/// The bytes of `X'…'`.
fn bytes(text: &str) -> Result<Vec<u8>, XidParseError> {
    let digits = text.strip_prefix("X'").and_then(|text| text.strip_suffix('\''));
    let digits = digits.ok_or(XidParseError)?.as_bytes();
    if digits.len() % 2 != 0 || 2 * PART_BYTES_MAX < digits.len() {
        return Err(XidParseError);
    }
    let digit = |digit: &u8| {
        let value = char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        value.ok_or(XidParseError)
    };
    let byte = |pair: &[u8]| pair.iter().try_fold(0, |byte, half| Ok(byte << 4 | digit(half)?));
    digits.chunks(2).map(byte).collect()
}

impl fmt::Debug for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Xid(…)")
    }
}

/// Names the transaction without its name.
impl fmt::Display for PreparedTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.gtid {
            Some(gtid) => write!(f, "{gtid}"),
            None => write!(f, "{}", self.begin),
        }
    }
}

/// The GTIDs of these transactions.
pub fn gtids_of(prepared: &PreparedTransactions) -> GtidSet {
    let mut gtids = GtidSet::default();
    prepared.values().filter_map(|one| one.gtid.as_ref()).for_each(|gtid| gtids.add(gtid));
    gtids
}

#[cfg(test)]
mod tests {
    use super::{PART_BYTES_MAX, Xid};

    #[test]
    fn a_name_reads_back_and_is_hidden_from_logs() {
        let xid = Xid::new(7, b"\0\xff'", b"").unwrap();
        assert_eq!(xid.as_str(), "X'00ff27',X'',7");
        assert_eq!(xid.as_str().parse(), Ok(xid.clone()));
        assert_eq!("X'00FF27', X'', 7".parse(), Ok(xid.clone()));
        assert!(!format!("{xid:?}").contains("00ff"));
        let longest = vec![0xab; PART_BYTES_MAX];
        let xid = Xid::new(u64::MAX, &longest, &longest).unwrap();
        assert_eq!(xid.as_str().parse(), Ok(xid.clone()));
        assert_eq!(xid.in_event(), Xid::new(u32::MAX.into(), &longest, &longest).unwrap());
        assert_eq!(Xid::new(1, &[0; PART_BYTES_MAX + 1], b""), None);
    }

    #[test]
    fn what_the_server_does_not_write_is_no_name() {
        let long = format!("X'{}',X'',1", "00".repeat(PART_BYTES_MAX + 1));
        for text in [
            "",
            "X'00'",
            "X'00',X''",
            "X'00',X'',",
            "X'00',X'',+1",
            "X'00',X'',18446744073709551616",
            "X'00',X'',1,",
            "X'0',X'',1",
            "X'0g',X'',1",
            "'00',X'',1",
            "X'00,X'',1",
            "X'00',X'',1 ONE PHASE",
            &long,
        ] {
            assert!(text.parse::<Xid>().is_err(), "{text}");
        }
    }
}
