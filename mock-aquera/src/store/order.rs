//! The order of creation: which resource is the n-th, without walking there.
//!
//! Places are kept in blocks of 1,024 that know how many of them are in use, so the n-th is found by adding up one
//! number a block. A place that was given up stays empty; blocks that are empty throughout give their memory back.

use super::Slot;

/// Places in a block.
const BLOCK: usize = 1024;

#[derive(Debug, Default)]
struct Block {
    live: usize,
    /// `None` where a place was given up.
    slots: Vec<Option<Slot>>,
}

/// Slots in order of creation.
#[derive(Debug, Default)]
pub(crate) struct Order {
    blocks: Vec<Block>,
    next: u64,
    live: usize,
}

impl Order {
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Puts a slot at the end. Gives its number, which grows with each call.
    pub(crate) fn push(&mut self, slot: Slot) -> u64 {
        let number = self.next;
        self.next += 1;
        let (block, _) = position(number);
        if block == self.blocks.len() {
            self.blocks.push(Block::default());
        }
        let block = &mut self.blocks[block];
        block.slots.push(Some(slot));
        block.live += 1;
        self.live += 1;
        number
    }

    /// Empties the place of a number.
    pub(crate) fn remove(&mut self, number: u64) {
        let (at, within) = position(number);
        let full = at + 1 < self.blocks.len();
        let Some(block) = self.blocks.get_mut(at) else { return };
        let Some(place) = block.slots.get_mut(within).filter(|slot| slot.is_some()) else { return };
        *place = None;
        block.live -= 1;
        self.live -= 1;
        if block.live == 0 && full {
            block.slots = Vec::new();
        }
    }

    /// The slots from the `skip`-th on, counted from zero.
    pub(crate) fn skip(&self, skip: usize) -> impl Iterator<Item = Slot> {
        let mut left = skip;
        let mut first = self.blocks.len();
        for (at, block) in self.blocks.iter().enumerate() {
            if block.live > left {
                first = at;
                break;
            }
            left -= block.live;
        }
        let blocks = &self.blocks[first..];
        let is_full = blocks.first().is_some_and(|block| block.live == block.slots.len());
        // In a full block, the n-th is at the n-th place.
        let (from, left) = if is_full { (left, 0) } else { (0, left) };
        let mut froms = std::iter::once(from).chain(std::iter::repeat(0));
        let slots = blocks.iter().flat_map(move |block| &block.slots[froms.next().unwrap_or_default()..]);
        slots.flatten().copied().skip(left)
    }

    /// The numbers and slots after a number; all of them after `None`.
    pub(crate) fn after(&self, number: Option<u64>) -> impl DoubleEndedIterator<Item = (u64, Slot)> {
        let (block, within) = position(number.map_or(0, |number| number + 1));
        self.slots(block, within)
    }

    /// The numbers and slots before a number, the last one first.
    pub(crate) fn before(&self, number: u64) -> impl Iterator<Item = (u64, Slot)> {
        let (block, _) = position(number);
        let end = self.blocks.len().min(block + 1);
        numbered(&self.blocks[..end], 0).rev().filter(move |(other, _)| *other < number)
    }

    fn slots(&self, block: usize, within: usize) -> impl DoubleEndedIterator<Item = (u64, Slot)> {
        let block = block.min(self.blocks.len());
        let from = number(block, within);
        numbered(&self.blocks[block..], block).filter(move |(number, _)| *number >= from)
    }
}

fn numbered(blocks: &[Block], first: usize) -> impl DoubleEndedIterator<Item = (u64, Slot)> {
    blocks.iter().enumerate().flat_map(move |(at, block)| {
        let places = block.slots.iter().enumerate();
        places.filter_map(move |(within, slot)| Some((number(first + at, within), (*slot)?)))
    })
}

fn position(number: u64) -> (usize, usize) {
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    (number / BLOCK, number % BLOCK)
}

fn number(block: usize, within: usize) -> u64 {
    (block * BLOCK + within) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is removed, ranks and neighbours are those of a sorted map.
        #[test]
        fn it_agrees_with_a_map(count in 0..3000_usize, gone in vec(0..3000_u64, 0..400), at in 0..3000_usize) {
            let mut order = Order::default();
            let mut map: BTreeMap<u64, Slot> =
                (0..count).map(Slot::new).map(|slot| (order.push(slot), slot)).collect();
            let sweep = if at % 2 == 0 { 900..2300 } else { 0..0 };
            for number in gone.into_iter().chain(sweep) {
                order.remove(number);
                order.remove(number);
                map.remove(&number);
            }
            map.insert(order.push(Slot::new(7)), Slot::new(7));
            prop_assert_eq!(order.len(), map.len());
            let expected: Vec<Slot> = map.values().copied().skip(at).take(50).collect();
            prop_assert_eq!(order.skip(at).take(50).collect::<Vec<_>>(), expected);
            let number = at as u64;
            let after: Vec<(u64, Slot)> = map.range(number + 1..).map(|(n, s)| (*n, *s)).take(50).collect();
            prop_assert_eq!(order.after(Some(number)).take(50).collect::<Vec<_>>(), after);
            let before: Vec<(u64, Slot)> = map.range(..number).rev().map(|(n, s)| (*n, *s)).take(50).collect();
            prop_assert_eq!(order.before(number).take(50).collect::<Vec<_>>(), before);
        }
    }
}
