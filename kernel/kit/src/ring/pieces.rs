//! Bytes that are too many to be sealed at once, and are read from anywhere.

use aead_stream::{NewStream, StreamBE32, StreamPrimitive};
use aes_gcm_siv::{Aes256GcmSiv, KeyInit};

use crate::{Error, Result};

/// What seals bytes piece by piece, each in its place: STREAM (Hoang, Reyhanitabar, Rogaway and Vizár,
/// 2015) over AES-256-GCM-SIV (RFC 8452).
///
/// A piece opens only where it was sealed, and the last one only as the last, so that none is missing,
/// doubled, moved or of something else. A key seals one thing.
pub struct Pieces(StreamBE32<Aes256GcmSiv>);

impl Pieces {
    /// How long a piece is; the last one may be shorter, and of nothing there is one piece.
    pub const LENGTH: usize = 64 << 10;
    /// How much longer a piece is once it is sealed.
    pub const TAG: usize = 16;

    /// What a key seals.
    pub fn new(key: &[u8; 32]) -> Self {
        // The key is for one thing alone, so all that has to differ is the place.
        Self(StreamBE32::from_aead(Aes256GcmSiv::new(key.into()), &Default::default()))
    }

    /// How many pieces so many bytes are.
    ///
    /// # Errors
    /// `internal` for more than 2³² of them, 256 TiB.
    pub fn count(size: u64) -> Result<u32> {
        u32::try_from(size.div_ceil(Self::LENGTH as u64).max(1)).map_err(Error::internal)
    }

    /// How long so many bytes are once they are sealed.
    ///
    /// # Errors
    /// As [`Pieces::count`].
    pub fn sealed(size: u64) -> Result<u64> {
        Ok(size + u64::from(Self::count(size)?) * Self::TAG as u64)
    }

    /// Seals a piece.
    ///
    /// # Errors
    /// `internal` for one that is too long.
    pub fn seal(&self, place: u32, last: bool, text: &[u8]) -> Result<Vec<u8>> {
        self.0.encrypt(place, last, text).map_err(|_| Error::internal("a piece cannot be sealed"))
    }

    /// Opens a piece; none for anything but what was sealed in its place.
    pub fn open(&self, place: u32, last: bool, sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.decrypt(place, last, sealed).ok()
    }
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pieces(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_opens_in_its_place_and_unchanged() {
        let pieces = Pieces::new(&[7; 32]);
        let sealed = pieces.seal(3, false, b"text").unwrap();
        assert_eq!(sealed.len(), 4 + Pieces::TAG);
        assert_eq!(pieces.open(3, false, &sealed).unwrap(), b"text");
        assert_eq!(pieces.open(2, false, &sealed), None);
        assert_eq!(pieces.open(3, true, &sealed), None, "what was cut off is not whole");
        assert_eq!(Pieces::new(&[8; 32]).open(3, false, &sealed), None);
        for place in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[place] ^= 1;
            assert_eq!(pieces.open(3, false, &forged), None);
        }
    }

    #[test]
    fn nothing_is_one_piece_too() {
        let length = Pieces::LENGTH as u64;
        for (size, count) in [(0, 1), (1, 1), (length, 1), (length + 1, 2), (2 * length, 2)] {
            assert_eq!(Pieces::count(size).unwrap(), count, "{size}");
            assert_eq!(Pieces::sealed(size).unwrap(), size + u64::from(count) * 16);
        }
        assert!(Pieces::count(u64::MAX).is_err());
    }
}
