//! Reads numbers and runs of bytes from an event, and never past its end.

/// The bytes ended before what was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CutShort;

/// Bytes that are read from front to back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire<'a>(pub(super) &'a [u8]);

impl<'a> Wire<'a> {
    /// The next `count` bytes.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], CutShort> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(CutShort)?;
        self.0 = rest;
        Ok(head)
    }

    /// The next `N` bytes.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CutShort> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(CutShort)?;
        self.0 = rest;
        Ok(*head)
    }

    /// One byte.
    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, CutShort> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes, little-endian.
    #[inline]
    pub(super) fn u16(&mut self) -> Result<u16, CutShort> {
        self.array().map(u16::from_le_bytes)
    }

    /// Three bytes, little-endian.
    #[inline]
    pub(super) fn u24(&mut self) -> Result<u32, CutShort> {
        self.array().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// Four bytes, little-endian.
    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, CutShort> {
        self.array().map(u32::from_le_bytes)
    }

    /// Six bytes, little-endian.
    pub(super) fn u48(&mut self) -> Result<u64, CutShort> {
        self.array().map(|[a, b, c, d, e, f]| u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }

    /// Seven bytes, little-endian.
    pub(super) fn u56(&mut self) -> Result<u64, CutShort> {
        self.array().map(|[a, b, c, d, e, f, g]| u64::from_le_bytes([a, b, c, d, e, f, g, 0]))
    }

    /// Eight bytes, little-endian.
    #[inline]
    pub(super) fn u64(&mut self) -> Result<u64, CutShort> {
        self.array().map(u64::from_le_bytes)
    }

    /// `count` bytes, at most 8, big-endian.
    #[inline]
    pub(super) fn big_endian(&mut self, count: u8) -> Result<u64, CutShort> {
        // Each length by itself, so that each is one load and no loop.
        Ok(match count {
            0 => 0,
            1 => u64::from(self.u8()?),
            2 => u64::from(u16::from_be_bytes(self.array()?)),
            3 => self.array().map(|[a, b, c]| u64::from(u32::from_be_bytes([0, a, b, c])))?,
            4 => u64::from(u32::from_be_bytes(self.array()?)),
            5 => {
                self.array().map(|[a, b, c, d, e]| u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))?
            }
            6 => {
                let [a, b, c, d, e, f] = self.array()?;
                u64::from_be_bytes([0, 0, a, b, c, d, e, f])
            }
            7 => {
                let [a, b, c, d, e, f, g] = self.array()?;
                u64::from_be_bytes([0, a, b, c, d, e, f, g])
            }
            _ => u64::from_be_bytes(self.array()?),
        })
    }

    /// A length-encoded integer (MySQL protocol, `Protocol::LengthEncodedInteger`).
    pub(super) fn length_encoded(&mut self) -> Result<u64, CutShort> {
        match self.u8()? {
            byte @ 0..=250 => Ok(u64::from(byte)),
            252 => self.u16().map(u64::from),
            253 => self.u24().map(u64::from),
            254 => self.u64(),
            // 251 is NULL in result rows and 255 an error packet: neither occurs in an event.
            251 | 255 => Err(CutShort),
        }
    }

    /// A run of bytes behind its length-encoded length.
    pub(super) fn length_encoded_bytes(&mut self) -> Result<&'a [u8], CutShort> {
        let length = self.length_encoded()?;
        self.take(usize::try_from(length).map_err(|_| CutShort)?)
    }

    /// Whether nothing is left.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
