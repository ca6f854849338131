//! The tree of RFC 9162, section 2.1: its hashes, its proofs, and how they are checked.
//!
//! A tree is made of complete ones: those of level `l` have 2^l leaves, and the n-th of them begins at leaf
//! n · 2^l. Whoever asks for a proof says how to find their hashes, and no other is needed.

use sha2::{Digest, Sha256};
use stoa_kit::Result;

/// A hash of a leaf, or of two hashes.
pub type Hash = [u8; 32];

/// Finds the hash of a complete tree: of a level, the n-th.
pub type Find<'a> = dyn FnMut(u32, u64) -> Result<Hash> + 'a;

/// The hash of a leaf.
pub fn leaf(bytes: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(bytes).finalize().into()
}

/// The hash over two trees, one behind the other.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The hash over leaves, or over complete trees of one size of which only the last may be smaller.
pub fn over(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(split(more.len() as u64) as usize);
            node(&over(left), &over(right))
        }
    }
}

/// Where a tree of several leaves is divided: the largest power of two below its size.
fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// The hash over the leaves from one on up to another.
///
/// # Errors
/// Those of `find`.
pub fn root(from: u64, to: u64, find: &mut Find<'_>) -> Result<Hash> {
    let size = to - from;
    if size == 0 {
        return Ok(over(&[]));
    }
    if size.is_power_of_two() {
        return find(size.trailing_zeros(), from / size);
    }
    let middle = from + split(size);
    Ok(node(&root(from, middle, find)?, &root(middle, to, find)?))
}

/// The proof that a leaf is in a tree of a size, which is larger.
///
/// # Errors
/// Those of `find`.
pub fn inclusion(index: u64, size: u64, find: &mut Find<'_>) -> Result<Vec<Hash>> {
    let (mut from, mut to, mut proof) = (0, size, Vec::new());
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            proof.push(root(middle, to, find)?);
            to = middle;
        } else {
            proof.push(root(from, middle, find)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that a tree begins with one of a size, which is neither zero nor larger.
///
/// # Errors
/// Those of `find`.
pub fn consistency(first: u64, second: u64, find: &mut Find<'_>) -> Result<Vec<Hash>> {
    let (mut from, mut to, mut proof) = (0, second, Vec::new());
    while first != to {
        let middle = from + split(to - from);
        if first <= middle {
            proof.push(root(middle, to, find)?);
            to = middle;
        } else {
            proof.push(root(from, middle, find)?);
            from = middle;
        }
    }
    // A tree that the other begins with as a whole is known to whoever asks.
    if from > 0 {
        proof.push(root(from, to, find)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether a proof leads from a leaf to the root of a tree (RFC 9162, 2.1.3.2).
pub fn includes(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &[u8]) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last, mut hash) = (index, size - 1, *leaf);
    for step in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node(step, &hash);
            up(&mut place, &mut last);
        } else {
            hash = node(&hash, step);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && hash[..] == *root
}

/// Whether a proof leads from the root of a tree to that of a larger one (RFC 9162, 2.1.4.2). Every tree
/// begins with the empty one, and nothing proves it.
pub fn extends(
    (first, first_root): (u64, &[u8]), (second, second_root): (u64, &[u8]), proof: &[Hash],
) -> bool {
    if first == 0 || first > second {
        return false;
    }
    if first == second {
        return proof.is_empty() && first_root == second_root;
    }
    let (mut place, mut last) = (first - 1, second - 1);
    while place & 1 == 1 {
        (place, last) = (place >> 1, last >> 1);
    }
    let (start, steps) = match (first_root.try_into(), proof.split_first()) {
        (Ok(root), _) if first.is_power_of_two() && !proof.is_empty() => (root, proof),
        (Ok(_), Some((start, steps))) => (*start, steps),
        _ => return false,
    };
    let (mut one, mut other) = (start, start);
    for step in steps {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            (one, other) = (node(step, &one), node(step, &other));
            up(&mut place, &mut last);
        } else {
            other = node(&other, step);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && one[..] == *first_root && other[..] == *second_root
}

/// Climbs where the last tree of a level has no neighbour.
fn up(place: &mut u64, last: &mut u64) {
    while *place & 1 == 0 && *place != 0 {
        (*place, *last) = (*place >> 1, *last >> 1);
    }
}
