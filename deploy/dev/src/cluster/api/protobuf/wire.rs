//! The wire format of protobuf: tags, varints and chunks.
//! <https://protobuf.dev/programming-guides/encoding/>

/// The content of a field. Fixed-width numbers do not occur in the Kubernetes API and are passed over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// All fields of a message with their numbers; `None` when it is malformed.
pub(super) fn items(mut bytes: &[u8]) -> Option<Vec<(u64, Item<'_>)>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let item = match tag & 7 {
            0 => Item::Varint(varint(&mut bytes)?),
            1 => skip(&mut bytes, 8)?,
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (chunk, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Item::Bytes(chunk)
            }
            5 => skip(&mut bytes, 4)?,
            _ => return None,
        };
        out.push((tag >> 3, item));
    }
    Some(out)
}

fn skip<'a>(bytes: &mut &[u8], length: usize) -> Option<Item<'a>> {
    *bytes = bytes.split_at_checked(length)?.1;
    Some(Item::Fixed)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The text of field `number`, "" when it is absent; `None` when the message is malformed.
pub(super) fn only_text(bytes: &[u8], number: u64) -> Option<String> {
    let found = items(bytes)?.into_iter().rev().find_map(|(n, item)| match item {
        Item::Bytes(b) if n == number => Some(b),
        _ => None,
    });
    String::from_utf8(found.unwrap_or_default().to_vec()).ok()
}

/// The number in field `number`, 0 when it is absent; `None` when the message is malformed.
pub(super) fn only_varint(bytes: &[u8], number: u64) -> Option<u64> {
    let found = items(bytes)?.into_iter().rev().find_map(|(n, item)| match item {
        Item::Varint(v) if n == number => Some(v),
        _ => None,
    });
    Some(found.unwrap_or(0))
}
