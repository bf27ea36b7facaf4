//! SPDY/3.1 on the wire, as far as a server of port-forwarding needs it: frames in, frames out, header blocks.
//! What the streams mean is not known here, see [`super::tunnel`]. There is no flow control: moby's spdystream,
//! which clients of Kubernetes use, neither counts windows nor updates them.
//!
//! Reference: <https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/>. Whatever is longer than its
//! bound, or not a frame at all, is an error that is meant to end the connection.

mod dictionary;
mod frame;
mod headers;

pub(super) use frame::{Frame, HEAD, Refusal, data, data_head, go_away, ping, reply, reset, take};
pub(super) use headers::{HeaderReader, Headers};

/// Why bytes are not SPDY/3.1 as it is taken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a control frame of another protocol version")]
    Version,
    #[error("a frame that is too large")]
    TooLarge,
    #[error("a frame that is too short")]
    TooShort,
    #[error("a header block that is not compressed as SPDY/3 asks")]
    Compression,
    #[error("a header block that is not a list of names and values, or too long")]
    Headers,
    #[error("a stream number that is not a client's next one")]
    Stream,
    #[error("a frame that only a server sends")]
    Direction,
    #[error("more data than is taken on a stream without a partner")]
    TooEarly,
}
