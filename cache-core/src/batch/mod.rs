//! Many keys at once: [`Cache::many`], and calls of one key each that one load answers together: [`Batched`].
//!
//! Each key has a flight of its own, with all that this brings: it is joined where one is under way, leased in the fleet, fenced
//! against invalidations, cached on its own. Only their loads meet: those that need the loader wait for each other until every
//! flight of the call has either come to that point or has found its value, and then one run of the loader answers them.
//! A flight that waits for another process's load keeps nobody waiting; should that load come to nothing, the loader is run
//! once more for it.

mod gathering;
mod many;
mod singles;

pub(crate) use self::gathering::Gathering;
pub use self::{
    many::{AtMany, Many},
    singles::Batched,
};
