//! Frames: bytes to what a client may send, and what a server sends to bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Malformed;
use super::headers::empty_block;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;
const FIN: u8 = 1;
const UNIDIRECTIONAL: u8 = 2;

/// Length of what stands before the content of each frame.
pub(in crate::cluster::streaming) const HEAD: usize = 8;
/// The largest data frame that is taken.
const MAX_DATA: usize = 1 << 20;
/// The largest control frame that is taken.
const MAX_CONTROL: usize = 16 << 10;

/// What a client sends that matters.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cluster::streaming) enum Frame {
    /// `SYN_STREAM`, its header block compressed. `end`: nothing will be sent on it. `one_way`: nothing is
    /// taken on it.
    Open { stream: u32, block: Bytes, end: bool, one_way: bool },
    /// More headers; to be decompressed, since they are part of the one zlib stream of the connection.
    Headers { block: Bytes },
    /// Data of a stream; `end` when it is the last.
    Data { stream: u32, bytes: Bytes, end: bool },
    /// A stream was given up.
    Reset { stream: u32 },
    /// To be sent back as it is.
    Ping { id: u32 },
}

/// Statuses of `RST_STREAM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(in crate::cluster::streaming) enum Refusal {
    /// Too many streams.
    Refused = 3,
    /// Not wanted, for any other reason.
    Cancel = 5,
}

/// Takes the next frame out of `buffer`, skipping those that change nothing here (`SETTINGS`, `WINDOW_UPDATE`,
/// `GOAWAY`, answers to pings, types not known: a receiver must ignore those); `None` when more bytes are
/// needed. Content is copied: what is kept of a frame does not keep the buffer.
pub(in crate::cluster::streaming) fn take(buffer: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
    while let Some((head, rest)) = buffer.split_first_chunk::<HEAD>() {
        let [first @ .., flags, l0, l1, l2] = *head;
        let word = u32::from_be_bytes(first);
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let control = word >> 31 == 1;
        if control && (word >> 16) & 0x7fff != 3 {
            return Err(Malformed::Version);
        }
        if length > if control { MAX_CONTROL } else { MAX_DATA } {
            return Err(Malformed::TooLarge);
        }
        let Some(content) = rest.get(..length) else { return Ok(None) };
        let mut content = Bytes::copy_from_slice(content);
        buffer.advance(HEAD + length);
        if !control {
            return Ok(Some(Frame::Data { stream: word, bytes: content, end: flags & FIN != 0 }));
        }
        let mut number = || content.try_get_u32().map_err(|_| Malformed::TooShort);
        match u16::try_from(word & 0xffff).unwrap_or_default() {
            SYN_STREAM => {
                let stream = number()? & 0x7fff_ffff;
                // The stream it belongs to, then priority and slot.
                let _associated = number()?;
                content.try_get_u16().map_err(|_| Malformed::TooShort)?;
                let (end, one_way) = (flags & FIN != 0, flags & UNIDIRECTIONAL != 0);
                return Ok(Some(Frame::Open { stream, block: content, end, one_way }));
            }
            HEADERS => {
                let _stream = number()?;
                return Ok(Some(Frame::Headers { block: content }));
            }
            RST_STREAM => return Ok(Some(Frame::Reset { stream: number()? & 0x7fff_ffff })),
            PING => match number()? {
                // Even numbers would be answers to our own pings; we send none.
                id if id % 2 == 1 => return Ok(Some(Frame::Ping { id })),
                _ => {}
            },
            SYN_REPLY => return Err(Malformed::Direction),
            _ => {}
        }
    }
    Ok(None)
}

/// Accepts a stream, with no headers. `first`: it is the first of the connection, and so begins the zlib stream.
pub(in crate::cluster::streaming) fn reply(stream: u32, first: bool) -> Bytes {
    control(SYN_REPLY, &[&stream.to_be_bytes(), empty_block(first).as_slice()].concat())
}

/// Gives a stream up.
pub(in crate::cluster::streaming) fn reset(stream: u32, why: Refusal) -> Bytes {
    control(RST_STREAM, &[stream.to_be_bytes(), (why as u32).to_be_bytes()].concat())
}

/// The answer to a ping.
pub(in crate::cluster::streaming) fn ping(id: u32) -> Bytes {
    control(PING, &id.to_be_bytes())
}

/// Says that the connection ends because the client broke the protocol; `last` is the last stream that was taken.
pub(in crate::cluster::streaming) fn go_away(last: u32) -> Bytes {
    const PROTOCOL_ERROR: u32 = 1;
    control(GOAWAY, &[last.to_be_bytes(), PROTOCOL_ERROR.to_be_bytes()].concat())
}

/// Data of a stream, at most 16 MiB; `end` when it is the last.
pub(in crate::cluster::streaming) fn data(stream: u32, content: &[u8], end: bool) -> Bytes {
    Bytes::from([&data_head(stream, content.len(), end), content].concat())
}

/// What stands before `length` bytes of data.
pub(in crate::cluster::streaming) fn data_head(stream: u32, length: usize, end: bool) -> [u8; HEAD] {
    let [s0, s1, s2, s3] = stream.to_be_bytes();
    let [_, l0, l1, l2] = u32::try_from(length).unwrap_or_default().to_be_bytes();
    [s0, s1, s2, s3, if end { FIN } else { 0 }, l0, l1, l2]
}

fn control(kind: u16, content: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEAD + content.len());
    frame.put_u16(0x8003);
    frame.put_u16(kind);
    // No flags: all our control frames are far below the 16 MiB that fit beside them.
    frame.put_u32(u32::try_from(content.len()).unwrap_or_default());
    frame.put_slice(content);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let mut wire = Vec::new();
        wire.extend_from_slice(b"\x80\x03\0\x01\x01\0\0\x0c\0\0\0\x03\0\0\0\0\0\0zz");
        wire.extend_from_slice(b"\x80\x03\0\x04\0\0\0\x04\0\0\0\0");
        wire.extend_from_slice(&data(3, b"hello", false));
        wire.extend_from_slice(&ping(7));
        wire.extend_from_slice(&ping(8));
        wire.extend_from_slice(&go_away(3));
        wire.extend_from_slice(b"\x80\x03\0\x09\0\0\0\x08\0\0\0\x03\0\0\x10\0");
        wire.extend_from_slice(&reset(3, Refusal::Cancel));
        wire.extend_from_slice(&data(3, b"", true));
        let expected = [
            Frame::Open { stream: 3, block: Bytes::from_static(b"zz"), end: true, one_way: false },
            Frame::Data { stream: 3, bytes: Bytes::from_static(b"hello"), end: false },
            Frame::Ping { id: 7 },
            Frame::Reset { stream: 3 },
            Frame::Data { stream: 3, bytes: Bytes::new(), end: true },
        ];
        for step in [1, 3, 7, wire.len()] {
            let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
            for piece in wire.chunks(step) {
                buffer.extend_from_slice(piece);
                while let Some(frame) = take(&mut buffer).unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, expected, "in pieces of {step}");
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn a_frame_out_of_bounds_is_refused_before_it_has_come() {
        let refused = |bytes: &[u8]| take(&mut BytesMut::from(bytes)).unwrap_err();
        assert_eq!(refused(b"\x80\x02\0\x01\0\0\0\0"), Malformed::Version);
        assert_eq!(refused(b"GET / HTTP/1.1"), Malformed::TooLarge);
        assert_eq!(refused(b"\0\0\0\x01\0\x10\0\x01"), Malformed::TooLarge);
        assert_eq!(refused(b"\x80\x03\0\x01\0\0\x40\x01"), Malformed::TooLarge);
        assert_eq!(refused(b"\x80\x03\0\x01\0\0\0\x09\0\0\0\x01\0\0\0\0\0"), Malformed::TooShort);
        for kind in [3, 6, 8] {
            assert_eq!(refused(&[0x80, 3, 0, kind, 0, 0, 0, 3, 1, 2, 3]), Malformed::TooShort);
        }
        assert_eq!(refused(&reply(1, true)), Malformed::Direction);
    }

    #[test]
    fn noise_is_frames_or_an_error_and_never_a_panic() {
        let mut rng = rand::rng();
        for _ in 0..20_000 {
            let mut noise = [0_u8; 64];
            rng.fill(&mut noise);
            // Most of it is to look like control frames.
            if rng.random() {
                noise[3] %= 12;
                noise[..3].copy_from_slice(&[0x80, 3, 0]);
                noise[5..7].fill(0);
            }
            let mut buffer = BytesMut::from(&noise[..]);
            while let Ok(Some(_)) = take(&mut buffer) {}
        }
    }
}
