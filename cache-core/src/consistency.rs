//! The consistency contract: what a call may be served, what holds when things fail, and how that is proven.
//!
//! # In plain words
//!
//! You change data at its origin, then you invalidate: an entry by its key, any number of entries by a tag, a cache, or the
//! namespace. *X* is [`max_staleness`](crate::StackBuilder::max_staleness), 1 s by default.
//!
//! | | promise |
//! |---|---|
//! | G1 | **No resurrection.** Once an invalidation has returned `Ok`, no value loaded before it is ever read from L2 again, by any process: no load in flight, refresh, promotion, retry or late packet puts it back. |
//! | G2 | **Read your own invalidations.** In the process that invalidated, no call that begins after it returned is served an older value; not even if L2 could not be told. |
//! | G3 | **Bounded staleness.** Everywhere else, no call that begins more than X after it returned is served an older value, whether the way to the shared store is live (then it is typically a millisecond), slow, lossy, cut off or stopped. |
//! | G4 | **Validated reads.** A [validated](crate::At::validated) call is served nothing older than what was current when it began: G3 with X = 0, for one round trip that moves no value if nothing changed. |
//! | G5 | **Guarded writes.** [`Cache::write`](crate::Cache::write) revokes before the commit, lets nothing be cached while it runs, and revokes after. A process that is killed anywhere inside leaves nothing stale once its guard has ended. |
//! | G6 | **Fail closed.** Metadata that L2 loses (an evicted mark, an emptied or rolled back store, a promotion that lost writes) turns entries into misses, never into old values. |
//! | G7 | **Age.** No value is served for longer than its time to live and the [stale windows](#stale-is-not-revoked) that were asked for, counted from the start of its load, and the time that it took to reach L2, which is less than [`lease_ttl`](crate::StackBuilder::lease_ttl). L1 never outlives L2. |
//! | G8 | **One load.** At most one load per key runs in the fleet while its holder's lease lives. |
//! | G9 | **The cache is optional.** With L2 down, hung or wrong, calls answer with the loader's value, each operation of L2 bounded by its deadline. Only what must be told to L2 (`invalidate*`, `insert`, `write`) reports that it could not be. |
//!
//! # What is not promised
//!
//! - Monotonic reads: of two calls in one process, neither of them validated, the second may be served what is older, within X.
//! - The order of blind [inserts](crate::Cache::insert).
//! - Anything about a loader that reads a replica which lags behind the origin, unless a
//!   [hold-off](crate::At::hold_off) covers the lag.
//! - Anything about a primary that was cut off from its fleet and still takes writes (a split brain), where the store is not
//!   configured against it.
//! - A commit inside [`Cache::write`](crate::Cache::write) that takes effect after its guard has ended, because its process
//!   was stopped for longer than [`guard_ttl`](crate::StackBuilder::guard_ttl).
//! - A machine that was suspended: its monotonic clock stands still meanwhile, so that for X after it wakes it may serve what
//!   was revoked while it slept.
//!
//! Nothing depends on the clocks of two processes agreeing. Within a process, time is the monotonic clock, asked on each call: a
//! coarse form of it, and the exact one wherever they could come to different answers ([`clock`](crate::clock)).
//!
//! # The idea: absence denies
//!
//! Every permission to cache is a random token that must still be there. A *lease* permits one fill; an *epoch* of the
//! namespace, of a cache or of a tag keeps the entries valid that were stored with it. An invalidation removes them. So what
//! was lost, by whatever accident, permits nothing. Counters would: one that is lost starts again and comes to mean an old
//! value.
//!
//! # The paths
//!
//! An invalidation, and how others hear of it:
//!
//! ```text
//! this process                          L2                                      another process
//! drop from L1, detach flights
//! ── invalidate ──────────────────────► in one step: remove the entry and its
//!                                       lease, or the mark; append to the log ──► reads the log (blocking):
//! ◄───────────────────────────── ok ──┘                                          drop from L1, detach flights
//! drop from L1, detach flights
//! return Ok
//! ```
//!
//! The local drop that counts is the one *after* L2 has answered: a reader may have promoted the old value in between.
//! Flights that are detached answer those who joined before; nobody joins them any more, and nothing of them is stored.
//!
//! A read:
//!
//! ```text
//! L1: there, fresh, not revoked, proven within X ───────────────────────────► hit
//!  │  there, but not proven ► L2: entry id and epochs, no value; equal ─────► hit, proven as of the question
//!  └ flight: join one that is proven within X, or lead
//!     ├ L2: entry and epochs, equal ────────────────────────────────────────► promoted as of the question
//!     ├ lease ► load ► fill (refused if the lease is gone) ─────────────────► kept as of the start of the load
//!     └ a guard is open ► load ─────────────────────────────────────────────► served, kept nowhere
//!     └ L2 does not answer ► load ──────────────────────────────────────────► kept for X: it may have been loaded past a guard
//! ```
//!
//! *Proven within X* means: now − max(t, synced) ≤ X. `t` is when the value was known to be current: when L2 was asked for it
//! together with its epochs, or when its load began. `synced` is when the last heartbeat was *sent* whose answer said that the
//! log ends where this process has read to. Either way, every invalidation that returned before then is reflected in what is
//! served. Joining a flight is serving its value: a load of five seconds that is joined in its fourth would break the bound
//! with nothing ever in L1.
//!
//! # Stale is not revoked
//!
//! A value that is past its time to live, or that was [expired softly](crate::Cache::expire), is *stale*. A policy may ask for
//! windows in which such a value still answers: [`stale_while_revalidate`](crate::policy::Policy::stale_while_revalidate) at
//! once, while one load in the fleet replaces it behind;
//! [`stale_if_error`](crate::policy::Policy::stale_if_error) where the load failed. Past a
//! [`soft_timeout`](crate::policy::Policy::soft_timeout) either answers for a load that is slow. Both count from the end of the time to live,
//! and nothing renews them. All promises stand: what was invalidated answers nobody, nor does what may have been, because it is
//! not proven within X; a validated call is not answered so; the load behind is fenced like any other; and
//! [`Source::Stale`](crate::Source::Stale) tells the caller.
//!
//! ```text
//! loaded              ttl                     stale_while_revalidate      stale_if_error
//! │──────── hit ───────│── stale, one load behind ──│── load; stale if it fails ──│── load
//! ```
//!
//! A soft expiration goes the way of an invalidation, in the same order, and reaches others by the same log. In L2 the entry
//! keeps its bytes and gets a flag; a tag gets a fresh epoch and remembers the one before, under which entries are stale
//! instead of revoked. Loads in flight are refused or stored as stale: what they read may be older. A tag remembers four
//! epochs: what is older than that is a miss.
//!
//! # The log
//!
//! Each message names the one before it. A process that finds a message whose predecessor is not the one that it has read, a
//! log that ends before its own position, that is gone, or whose end it does not reach within X, revokes all of its L1 and
//! goes on from the end. After a cut it reads on from where it was: what it missed is replayed, and nothing else is dropped.
//! What anybody else writes there can empty L1, never fill it. `cache-redis` documents the format.
//!
//! With each heartbeat comes the identity of the server. If it is not the one that is recorded in the namespace, the store was
//! restarted or another server promoted, and invalidations that it had acknowledged may be lost: the first process to notice
//! renews the namespace's epoch, once, which revokes every entry. `cache-redis` does this before a new connection is used.
//! [`keep_warm_on_failover`](crate::StackBuilder::keep_warm_on_failover) trades that for a warm cache.
//!
//! # What holds when
//!
//! | failure | what happens | what holds |
//! |---|---|---|
//! | the blocking read of the log fails | heartbeats notice within X/3 what is missing and fetch it | all |
//! | the log can't be read at all, L2 can | after X, each entry of L1 is compared with L2 before it is served, once per X and process | all |
//! | L2 is away | loaders answer; what they bring is kept in L1 for X | all but G8; `invalidate*` returns an error, is queued and retried, and this process trusts nothing in L2 that it covers |
//! | one question to L2 fails | the loader answers; what it brings is kept in L1 for X from the start of its load, although the log is followed: a guard may have been open, and its writer need not live to tell | all |
//! | L2 loses a record | a miss, a refused fill, or an emptied L1 | all. A lost *guard* lifts a guarded write's protection early |
//! | L2 restarts empty, from a snapshot, or a lagging replica is promoted | its entries are revoked as a whole, before the first read on a new connection or within X/3 | all, from then on; with `keep_warm_on_failover`, what an acknowledged but lost invalidation had revoked may be served until it expires |
//! | a process is stopped and goes on | its proof has run out: it validates before it serves | all |
//! | a process is killed | its lease and its guards end by themselves | all |
//!
//! # Choosing `max_staleness`
//!
//! X bounds what a *failure* can do; while all is well the delay is that of a message. A smaller X costs heartbeats (three per
//! X and process) and makes a slow store felt sooner, as comparisons with L2. A larger one keeps serving from L1 through
//! longer outages. Where a single decision must not be stale, leave X alone and make that call
//! [validated](crate::At::validated). [`At::invalidate_everywhere`](crate::At::invalidate_everywhere) returns when the
//! largest X of the fleet has passed.
//!
//! # Watching it
//!
//! [`Stack::health`](crate::Stack::health) tells the age of the proof, how often L1 was revoked as a whole, and what is queued;
//! [`stats`](crate::stats) the same as metrics, with the reasons, and the joins and fills that were refused.
//!
//! # How it is proven
//!
//! The decisions are pure state machines (`coherence/` in the source): events in, effects out, time and randomness handed in.
//! They are what production runs, and what a checker explores in every schedule of a small fleet, with requests and answers
//! delayed, lost and reordered, records lost and calls abandoned, and with each rule of the protocol left out in turn, which
//! must break a promise:
//!
//! ```text
//! cargo test -p cache-core --lib checker                               # as in CI
//! CHECK_DEPTH=1 cargo test --release -p cache-core --lib checker       # deeper; 2, 3, … deeper still
//! ```
//!
//! Threads that meet at the locks, atomics and wake-ups of one process are run in schedules drawn by [shuttle]
//! (`scripts/interleavings`).
//!
//! Random steps are played on `Memory` and on a real Redis, which must answer alike, also when records are lost; and whatever
//! Redis loses, nothing that was revoked becomes valid again (`cache-redis/tests/server/equal.rs`).
//!
//! [shuttle]: https://docs.rs/shuttle
//!
//! Whole stacks run in a simulation: three processes, a network that delays, loses, reorders and cuts, a store that forgets and is
//! rolled back, all of it drawn from a seed. What callers saw is held against the contract by a checker that knows nothing else:
//!
//! ```text
//! SEEDS=100000 cargo test -p cache-core --all-features --test simulation                    # 2,000 in CI
//! SEED=229 cargo test -p cache-core --all-features --test simulation replay -- --nocapture  # one of them, told step by step
//! ```
//!
//! Real processes on a real Redis go through the like of it, and are held to it by the same checker: processes that are stopped,
//! killed and started again, a network that is slow, cut, silent, or late with what it was given; a server that is stopped,
//! evicts, is flushed, restarts empty or from a snapshot, or gives way to a replica that lags:
//!
//! ```text
//! cargo test -p cache-redis --all-features --test processes contract -- --nocapture                      # 30 s, as in CI
//! PROCESS_SECONDS=3600 cargo test -p cache-redis --all-features --test processes contract -- --nocapture
//! SEED=7 cargo test -p cache-redis --all-features --test processes contract -- --nocapture               # those troubles again
//! ```
//!
//! Each run prints its seed, how stale its reads were, and what happened. Fleets that break a rule on purpose must be caught.
//!
//! Whole stacks on one store and on a paused clock play the races and failures one by one
//! (`cargo test -p cache-core --all-features --test scenarios`), and so do stacks and processes on a real server
//! (`cargo test -p cache-redis --all-features`).
//!
//! [`races`] lists every race that we know of, with what comes of it here and the tests that show it.

pub mod races;
