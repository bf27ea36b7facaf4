//! Header blocks: lists of names and values in one zlib stream per direction, which goes on from frame to frame.
//!
//! What comes in is decompressed up to a bound; what goes out is only ever an empty list, in *stored* blocks, so
//! that nothing has to be compressed.

use bytes::{Buf, Bytes};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_HAS_MORE_INPUT};

use super::{Malformed, dictionary};

/// The largest history that deflate refers to, and here the whole ring of output.
const WINDOW: usize = 32 << 10;
/// The largest header block, decompressed.
const MAX_BLOCK: usize = 16 << 10;
/// The most headers in a block.
const MAX_HEADERS: u32 = 64;

/// Decompresses the header blocks of one direction, in their order.
pub(in crate::cluster::streaming) struct HeaderReader {
    state: Box<DecompressorOxide>,
    window: Vec<u8>,
    /// Where the next byte of output goes.
    at: usize,
    begun: bool,
}

impl HeaderReader {
    pub(in crate::cluster::streaming) fn new() -> HeaderReader {
        let window = vec![0; WINDOW];
        HeaderReader { state: Box::new(DecompressorOxide::new()), window, at: 0, begun: false }
    }

    /// Decompresses the next block. After an error the connection is of no more use.
    pub(in crate::cluster::streaming) fn read(&mut self, mut block: &[u8]) -> Result<Headers, Malformed> {
        if !self.begun {
            block = self.begin(block).ok_or(Malformed::Compression)?;
            self.begun = true;
        }
        let mut list = Vec::new();
        loop {
            let flags = TINFL_FLAG_HAS_MORE_INPUT;
            let (status, taken, given) = decompress(&mut self.state, block, &mut self.window, self.at, flags);
            let fresh = self.window.get(self.at..self.at + given).unwrap_or_default();
            list.extend_from_slice(fresh);
            if list.len() > MAX_BLOCK {
                return Err(Malformed::Headers);
            }
            self.at = (self.at + given) % WINDOW;
            block = block.get(taken..).unwrap_or_default();
            match status {
                // The end of the ring: it goes on at its beginning.
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if block.is_empty() => break,
                // The stream of a connection has no end.
                _ => return Err(Malformed::Compression),
            }
        }
        Headers::parse(list.into())
    }

    /// Takes the zlib header (RFC 1950, 2.2) off the first block.
    fn begin<'a>(&mut self, block: &'a [u8]) -> Option<&'a [u8]> {
        const PRESET: u8 = 0x20;
        let ([cmf, flg], rest) = block.split_first_chunk::<2>()?;
        let checked = u16::from_be_bytes([*cmf, *flg]).is_multiple_of(31);
        if !checked || cmf & 0x0f != 8 || cmf >> 4 > 7 {
            return None;
        }
        if flg & PRESET == 0 {
            return Some(rest);
        }
        let preset = dictionary::bytes();
        self.window.get_mut(..preset.len())?.copy_from_slice(&preset);
        self.at = preset.len();
        rest.strip_prefix(&dictionary::ID)
    }
}

/// The headers of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::cluster::streaming) struct Headers(Vec<(Bytes, Bytes)>);

impl Headers {
    fn parse(mut list: Bytes) -> Result<Headers, Malformed> {
        let number = |list: &mut Bytes| list.try_get_u32().map_err(|_| Malformed::Headers);
        let count = number(&mut list)?;
        if count > MAX_HEADERS {
            return Err(Malformed::Headers);
        }
        let text = |list: &mut Bytes| {
            let length = number(list)? as usize;
            if length > list.len() { Err(Malformed::Headers) } else { Ok(list.split_to(length)) }
        };
        let mut all = Vec::new();
        for _ in 0..count {
            all.push((text(&mut list)?, text(&mut list)?));
        }
        if list.is_empty() { Ok(Headers(all)) } else { Err(Malformed::Headers) }
    }

    /// The value of a header. Names are lower case in SPDY: one that is not is nobody's.
    pub(in crate::cluster::streaming) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known.as_ref() == name.as_bytes())?;
        std::str::from_utf8(value).ok()
    }
}

/// A list of no headers.
pub(super) fn empty_block(first: bool) -> Vec<u8> {
    // A stored block of four bytes, its length twice, and the empty one that a sync flush writes: readers hand
    // over what they have.
    const LIST: &[u8] = &[0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    // Deflate with a window of 32 KiB, without a dictionary.
    const ZLIB: &[u8] = &[0x78, 0x01];
    [if first { ZLIB } else { &[] }, LIST].concat()
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    /// What zlib's own `compressobj(zdict=…)` makes of two lists, each with a sync flush.
    const ERROR: &[u8] =
        b"\x78\xf9\xe3\xc6\xa7\xc2\x02\x25\x3a\x70\x3a\x2b\x29\x4a\x4d\xcc\x85\x16\x25\xac\xa9\xa0\
        \x80\x86\x14\xcb\x45\xe0\x1c\x60\x6e\x60\x60\x00\xa4\x39\x8b\x20\xd1\x98\x09\x4a\xde\x8c\x06\
        \0\0\0\0\xff\xff";
    const DATA: &[u8] = b"\xc2\xaa\x19\x54\x0e\x25\x12\xd6\x0b\0\0\0\xff\xff";

    /// A first block of one stored block.
    fn stored(list: &[u8]) -> Vec<u8> {
        let length = u16::try_from(list.len()).unwrap();
        let (length, check) = (length.to_le_bytes(), (!length).to_le_bytes());
        [&[0x78, 1, 0], &length[..], &check[..], list, &[0, 0, 0, 0xff, 0xff]].concat()
    }

    #[test]
    fn blocks_compressed_with_the_dictionary_are_read_one_after_another() {
        let mut reader = HeaderReader::new();
        for (block, kind) in [(ERROR, "error"), (DATA, "data")] {
            let headers = reader.read(block).unwrap();
            assert_eq!(
                [headers.get("streamtype"), headers.get("port"), headers.get("requestid")],
                [Some(kind), Some("7000"), Some("0")]
            );
            assert_eq!(headers.get("streamType"), None);
        }
    }

    #[test]
    fn the_ring_of_output_may_go_round() {
        let mut reader = HeaderReader::new();
        let value = vec![b'v'; 9_000];
        let list = [&[0, 0, 0, 1, 0, 0, 0, 1, b'a'][..], &9_000_u32.to_be_bytes(), &value].concat();
        for round in 0..9 {
            let block = stored(&list);
            let headers = reader.read(if round == 0 { &block } else { &block[2..] }).unwrap();
            assert_eq!(headers.get("a").map(str::len), Some(9_000));
        }
    }

    #[test]
    fn an_empty_list_can_be_read_back() {
        let mut reader = HeaderReader::new();
        assert_eq!(reader.read(&empty_block(true)), Ok(Headers::default()));
        assert_eq!(reader.read(&empty_block(false)), Ok(Headers::default()));
    }

    #[test]
    fn what_is_compressed_otherwise_is_refused() {
        let refused = |block: &[u8]| HeaderReader::new().read(block).unwrap_err();
        assert_eq!(refused(b""), Malformed::Compression);
        assert_eq!(refused(b"\x78"), Malformed::Compression);
        assert_eq!(refused(b"\x79\x01\0"), Malformed::Compression);
        // Another dictionary.
        assert_eq!(refused(&[&ERROR[..5], &[0][..], &ERROR[6..]].concat()), Malformed::Compression);
        // A block type that does not exist, and a stream that ends.
        assert_eq!(refused(b"\x78\x01\x07"), Malformed::Compression);
        assert_eq!(refused(b"\x78\x01\x03\0"), Malformed::Compression);
    }

    #[test]
    fn a_list_that_is_too_long_or_not_a_list_is_refused() {
        let refused = |list: &[u8]| HeaderReader::new().read(&stored(list)).unwrap_err();
        assert_eq!(refused(b"\0\0"), Malformed::Headers);
        assert_eq!(refused(b"\xff\xff\xff\xff"), Malformed::Headers);
        assert_eq!(refused(b"\0\0\0\x01\0\0\0\x05a"), Malformed::Headers);
        assert_eq!(refused(b"\0\0\0\x01\xff\xff\xff\xffa"), Malformed::Headers);
        assert_eq!(refused(b"\0\0\0\0more"), Malformed::Headers);
        assert_eq!(refused(&[0; MAX_BLOCK + 1]), Malformed::Headers);
        // 16 MiB of nothing in 16 KiB: reading stops at the bound.
        let bomb = bomb_of_zeros();
        assert!(bomb.len() < 16 << 10);
        assert_eq!(HeaderReader::new().read(&bomb), Err(Malformed::Headers));
    }

    /// Deflate with fixed codes: a zero, then matches of 258 bytes at distance 1, each in 13 bits.
    fn bomb_of_zeros() -> Vec<u8> {
        let mut bits: Vec<bool> = vec![false, true, false];
        // Literal 0 is 00110000; length 258 is code 11000101, distance 1 is 00000; most significant bit first.
        let push = |bits: &mut Vec<bool>, code: u32, length: u32| {
            bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
        };
        push(&mut bits, 0b0011_0000, 8);
        for _ in 0..10_000 {
            push(&mut bits, 0b1100_0101, 8);
            push(&mut bits, 0, 5);
        }
        let packed =
            bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit)));
        [0x78, 1].into_iter().chain(packed).collect()
    }

    #[test]
    fn noise_is_headers_or_an_error_and_never_a_panic() {
        let mut rng = rand::rng();
        for _ in 0..3_000 {
            let mut noise = [0_u8; 96];
            rng.fill(&mut noise);
            noise[..2].copy_from_slice(&[0x78, 1]);
            let mut reader = HeaderReader::new();
            let _ = reader.read(&noise).and_then(|_| reader.read(&noise));
            let mut bent = ERROR.to_vec();
            let at = rng.random_range(6..bent.len());
            bent[at] ^= 1 << rng.random_range(0..8);
            let mut reader = HeaderReader::new();
            let _ = reader.read(&bent).and_then(|_| reader.read(DATA));
        }
    }
}
