//! How much of the internet a set of sources lets in, and which of them must go so that it is no longer the world.

use std::cmp::Reverse;

use crate::address::{AddressSet, public};
use crate::cidr::{Cidr, Family};

/// Who counts as the world, for one family.
#[derive(Debug, Clone)]
pub(crate) struct World {
    counted: AddressSet,
    limit: u128,
}

impl World {
    /// The public addresses less the trusted; the world begins with as many of them as a block of this prefix length has addresses.
    pub(crate) fn new(family: Family, trusted: &[Cidr], prefix: u8) -> Self {
        let counted = public(family).without(&AddressSet::of(family, trusted));
        Self { counted, limit: 1_u128.checked_shl(u32::from(family.bits().saturating_sub(prefix))).unwrap_or(u128::MAX) }
    }

    /// How much of the world the source is, in millionths.
    pub(crate) fn share(&self, atom: &Atom) -> u128 {
        atom.width / (self.counted.count() / 1_000_000).max(1)
    }

    /// Prepares a source for [`World::surplus`].
    pub(crate) fn atom(&self, blocks: &[Cidr]) -> Atom {
        let exposed = AddressSet::of(self.counted.family(), blocks).and(&self.counted);
        let mut content: Vec<Cidr> = blocks.iter().filter(|block| block.family() == self.counted.family()).copied().collect();
        content.sort_unstable();
        Atom { width: exposed.count(), exposed, content }
    }

    /// Which of the sources must go so that the rest, together, stays below the limit: indices into `atoms`.
    ///
    /// The widest go first until the rest is below; then those that fit come back, narrowest first. So no source goes that could
    /// have stayed, and a narrow one never goes in place of a wide one.
    pub(crate) fn surplus(&self, atoms: &[&Atom]) -> Vec<usize> {
        let mut widest_first: Vec<(usize, &Atom)> = atoms.iter().copied().enumerate().collect();
        widest_first.sort_by(|(_, a), (_, b)| Reverse(a.width).cmp(&Reverse(b.width)).then_with(|| a.content.cmp(&b.content)));

        let family = self.counted.family();
        let union = |rest: &[(usize, &Atom)]| AddressSet::union(family, rest.iter().map(|(_, atom)| &atom.exposed));
        // The rest only shrinks as more go, so the fewest that must go can be bisected.
        let (mut low, mut fits) = (0, widest_first.len());
        while low < fits {
            let middle = low.midpoint(fits);
            if union(widest_first.get(middle..).unwrap_or_default()).count() < self.limit {
                fits = middle;
            } else {
                low = middle + 1;
            }
        }
        let (gone, kept) = widest_first.split_at(fits);
        let mut kept = union(kept);
        let mut room = self.limit.saturating_sub(kept.count());
        let mut surplus = Vec::new();
        for (index, atom) in gone.iter().rev() {
            let more = atom.exposed.without(&kept).count();
            if more < room {
                kept = kept.or(&atom.exposed);
                room -= more;
            } else {
                surplus.push(*index);
            }
        }
        surplus
    }
}

/// A source that stays or goes whole.
#[derive(Debug, Clone)]
pub(crate) struct Atom {
    exposed: AddressSet,
    width: u128,
    content: Vec<Cidr>,
}
