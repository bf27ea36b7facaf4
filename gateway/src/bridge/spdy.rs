//! SPDY/3.1 framing, as far as the API server and the kubelet use it
//! (<https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/>): streams opened by us, data, ends of
//! streams, pings. Deprecated everywhere else; here it is what can say "no more input" to servers before 1.30, and what
//! port-forwarding speaks inside a WebSocket since 1.31.
//!
//! Header blocks are zlib streams. What we send is *stored*, not compressed; what we get is not looked at: nothing in
//! it matters, so no decompressor has to be trusted.

use bytes::{Buf, BufMut, Bytes, BytesMut};

const SYN_STREAM: u16 = 1;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const FIN: u8 = 1;

/// Largest data frame that is taken, and the largest control frame.
const MAX_FRAME: usize = 1024 * 1024;

/// What a peer sends that matters to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Data of a stream; `end` when nothing more comes on it.
    Data { stream: u32, bytes: Bytes, end: bool },
    /// A stream was aborted.
    Reset { stream: u32 },
    /// A ping, or the answer to ours.
    Ping { id: u32 },
    /// The peer is going to close.
    GoAway,
}

/// The peer does not speak SPDY/3.1, or sends frames that are too large.
#[derive(Debug, thiserror::Error)]
#[error("not a SPDY/3.1 frame ({0})")]
pub(super) struct NotSpdy(&'static str);

/// Takes the next frame out of `buffer`, skipping those that do not matter; `None` when more bytes are needed.
pub(super) fn take(buffer: &mut BytesMut) -> Result<Option<Frame>, NotSpdy> {
    while let Some((head, _)) = buffer.split_first_chunk::<8>() {
        let [first @ .., flags, l0, l1, l2] = *head;
        let word = u32::from_be_bytes(first);
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        if length > MAX_FRAME {
            return Err(NotSpdy("too large"));
        }
        if buffer.len() < 8 + length {
            buffer.reserve(8 + length - buffer.len());
            return Ok(None);
        }
        buffer.advance(8);
        let mut body = buffer.split_to(length);
        if word & 0x8000_0000 == 0 {
            return Ok(Some(Frame::Data { stream: word, bytes: body.freeze(), end: flags & FIN != 0 }));
        }
        if (word >> 16) & 0x7fff != 3 {
            return Err(NotSpdy("another version"));
        }
        let id = |body: &mut BytesMut| {
            body.try_get_u32().map(|id| id & 0x7fff_ffff).map_err(|_| NotSpdy("too short"))
        };
        match u16::try_from(word & 0xffff).unwrap_or_default() {
            RST_STREAM => return Ok(Some(Frame::Reset { stream: id(&mut body)? })),
            PING => return Ok(Some(Frame::Ping { id: id(&mut body)? })),
            GOAWAY => return Ok(Some(Frame::GoAway)),
            _ => {}
        }
    }
    Ok(None)
}

/// Opens a stream with these headers. `first` is the connection's first one: its header block begins the zlib stream
/// that the others continue. `finished` says at once that nothing will be sent on it.
pub(super) fn open(stream: u32, headers: &[(&str, &str)], first: bool, finished: bool, out: &mut Vec<u8>) {
    let mut block = Vec::new();
    block.put_u32(u32::try_from(headers.len()).unwrap_or_default());
    for text in headers.iter().flat_map(|(name, value)| [name, value]) {
        block.put_u32(u32::try_from(text.len()).unwrap_or_default());
        block.put_slice(text.as_bytes());
    }
    let mut body = Vec::new();
    body.put_u32(stream);
    body.put_u32(0);
    body.put_u16(0);
    if first {
        // zlib header: deflate, 32 KiB window, no preset dictionary.
        body.put_slice(&[0x78, 0x01]);
    }
    let length = u16::try_from(block.len()).unwrap_or_default();
    body.put_u8(0);
    body.put_u16_le(length);
    body.put_u16_le(!length);
    body.put_slice(&block);
    // An empty stored block, as after a sync flush: decoders hand over what they have.
    body.put_slice(&[0, 0, 0, 0xff, 0xff]);
    control(SYN_STREAM, if finished { FIN } else { 0 }, &body, out);
}

/// A ping with an odd number is ours; the peer's are sent back as they are.
pub(super) fn ping(id: u32, out: &mut Vec<u8>) {
    control(PING, 0, &id.to_be_bytes(), out);
}

/// Data on a stream, at most 16 MiB.
pub(super) fn data(stream: u32, bytes: &[u8], end: bool, out: &mut Vec<u8>) {
    out.reserve(8 + bytes.len());
    out.put_u32(stream);
    put_length(if end { FIN } else { 0 }, bytes.len(), out);
    out.put_slice(bytes);
}

fn control(kind: u16, flags: u8, body: &[u8], out: &mut Vec<u8>) {
    out.put_u16(0x8003);
    out.put_u16(kind);
    put_length(flags, body.len(), out);
    out.put_slice(body);
}

fn put_length(flags: u8, length: usize, out: &mut Vec<u8>) {
    let length = u32::try_from(length).unwrap_or_default() & 0x00ff_ffff;
    out.put_u32(u32::from(flags) << 24 | length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
        let mut wire = Vec::new();
        open(1, &[("streamtype", "error")], true, true, &mut wire);
        data(3, b"hello", false, &mut wire);
        ping(2, &mut wire);
        data(3, b"", true, &mut wire);
        control(RST_STREAM, 0, &[0, 0, 0, 3, 0, 0, 0, 1], &mut wire);
        control(GOAWAY, 0, &[0; 8], &mut wire);
        let expected = [
            Frame::Data { stream: 3, bytes: Bytes::from_static(b"hello"), end: false },
            Frame::Ping { id: 2 },
            Frame::Data { stream: 3, bytes: Bytes::new(), end: true },
            Frame::Reset { stream: 3 },
            Frame::GoAway,
        ];
        for step in [1, 3, 7, wire.len()] {
            let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
            for piece in wire.chunks(step) {
                buffer.extend_from_slice(piece);
                while let Some(frame) = take(&mut buffer).unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, expected, "{step}");
        }
    }

    #[test]
    fn a_header_block_is_a_zlib_stream_of_stored_blocks() {
        let mut wire = Vec::new();
        open(5, &[("a", "bc")], true, false, &mut wire);
        let block = [0, 0, 0, 1, 0, 0, 0, 1, b'a', 0, 0, 0, 2, b'b', b'c'];
        let mut expected =
            vec![0x80, 3, 0, 1, 0, 0, 0, 37, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0x78, 1, 0, 15, 0, 240, 255];
        expected.extend_from_slice(&block);
        expected.extend_from_slice(&[0, 0, 0, 255, 255]);
        assert_eq!(wire, expected);
    }

    #[test]
    fn what_is_not_spdy_or_too_large_is_an_error_and_not_an_allocation() {
        take(&mut BytesMut::from(&b"\x80\x02\0\x01\0\0\0\0"[..])).unwrap_err();
        take(&mut BytesMut::from(&b"\0\0\0\x01\0\xff\xff\xff"[..])).unwrap_err();
        take(&mut BytesMut::from(&b"\x80\x03\0\x06\0\0\0\x01\0"[..])).unwrap_err();
    }
}
