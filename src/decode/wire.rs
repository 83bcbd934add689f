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
        self.little_endian_padded::<6>()
    }

    /// Seven bytes, little-endian.
    pub(super) fn u56(&mut self) -> Result<u64, CutShort> {
        self.little_endian_padded::<7>()
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
        match count {
            0 => Ok(0),
            1 => self.big_endian_padded::<1>(),
            2 => self.big_endian_padded::<2>(),
            3 => self.big_endian_padded::<3>(),
            4 => self.big_endian_padded::<4>(),
            5 => self.big_endian_padded::<5>(),
            6 => self.big_endian_padded::<6>(),
            7 => self.big_endian_padded::<7>(),
            _ => self.big_endian_padded::<8>(),
        }
    }

    #[inline]
    fn big_endian_padded<const N: usize>(&mut self) -> Result<u64, CutShort> {
        let mut padded = [0; 8];
        *padded.last_chunk_mut::<N>().ok_or(CutShort)? = self.array()?;
        Ok(u64::from_be_bytes(padded))
    }

    #[inline]
    fn little_endian_padded<const N: usize>(&mut self) -> Result<u64, CutShort> {
        let mut padded = [0; 8];
        *padded.first_chunk_mut::<N>().ok_or(CutShort)? = self.array()?;
        Ok(u64::from_le_bytes(padded))
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
