//! Identifiers: `<prefix>_` and 128 bits, the older the smaller, in lower-case base32.

use crate::Micros;

/// The alphabet of base32hex (RFC 4648 §7) in lower case: it sorts as the bits do.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// An identifier of a time and 80 bits of chance: `acc_` and 26 characters.
pub fn format(prefix: &str, now: Micros, chance: u128) -> String {
    let millis = (now.0 / 1_000).max(0) as u128 & ((1 << 48) - 1);
    let mut bits = (millis << 80) | (chance & ((1 << 80) - 1));
    let mut text = [0u8; 26];
    for place in text.iter_mut().rev() {
        *place = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
    }
    let mut id = String::with_capacity(prefix.len() + 27);
    id.push_str(prefix);
    id.push('_');
    id.extend(text.iter().map(|byte| char::from(*byte)));
    id
}

/// Numbers that look random and follow from a seed: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub(crate) struct Stream {
    state: u64,
}

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
