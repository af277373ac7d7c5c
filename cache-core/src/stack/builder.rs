//! Building a stack.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore};

use super::{Stack, StackInner, leases::Leases};
use crate::{
    backend::Backend,
    breaker::BreakerSettings,
    bulkhead::Bulkhead,
    clock,
    codec::{Format, IntegrityKey, seal::Seal},
    coherence::{course::Patience, follower::Follower, ledger::Ledger, outbox::Outbox, proof::Proof},
    error::{Error, ErrorKind, Result},
    events::Hub,
    health::Problems,
    key::{Namespace, encode},
    l1::{L1, Store},
    l2::L2,
    policy::{LONGEST, Policies},
    stats::Coherence,
    token::ProcessId,
    warm::Warmers,
};

/// Builds a [`Stack`]: made by [`Stack::builder`].
#[must_use = "a builder does nothing until it is built"]
pub struct StackBuilder {
    namespace: String,
    l1: L1,
    l2: Option<Arc<dyn Backend>>,
    l2_deadline: Duration,
    breaker: BreakerSettings,
    policies: Policies,
    settings: Settings,
    /// Keys that entries may be sealed with beside the one that they are.
    accepted: Vec<IntegrityKey>,
}

/// What all caches of a stack share of its settings.
pub(crate) struct Settings {
    pub(crate) codec: Format,
    pub(crate) l1_ttl: Duration,
    pub(crate) max_staleness: Duration,
    pub(crate) keep_warm: bool,
    pub(crate) guard_ttl: Duration,
    pub(crate) lease_ttl: Duration,
    pub(crate) patience: Patience,
    pub(crate) max_refreshes: usize,
    pub(crate) max_loads: Option<usize>,
    pub(crate) max_waiting_loads: usize,
    pub(crate) seal: Option<Seal>,
}

/// Invalidations that wait for L2 beyond this number are widened to the whole namespace.
const OUTBOX: usize = 10_000;

/// The longest deadline of L2: calls add to it, and wait for multiples of it.
const LONGEST_DEADLINE: Duration = Duration::from_secs(3600);

impl StackBuilder {
    pub(super) fn new(namespace: String) -> Self {
        Self {
            namespace,
            l1: L1::default(),
            l2: None,
            l2_deadline: Duration::from_millis(250),
            breaker: BreakerSettings::default(),
            policies: Policies::default(),
            settings: Settings {
                codec: Format::default(),
                l1_ttl: LONGEST,
                max_staleness: Duration::from_secs(1),
                keep_warm: false,
                guard_ttl: Duration::from_secs(10),
                lease_ttl: Duration::from_secs(3),
                patience: Patience {
                    first: Duration::from_millis(10),
                    longest: Duration::from_millis(160),
                    budget: Duration::from_secs(10),
                },
                max_refreshes: 64,
                max_loads: None,
                max_waiting_loads: 10_000,
                seal: None,
            },
            accepted: Vec::new(),
        }
    }

    /// How much the process keeps, over all caches. Default: 10,000 entries.
    pub fn l1(mut self, l1: L1) -> Self {
        self.l1 = l1;
        self
    }

    /// The shared store. Default: none.
    pub fn l2(mut self, backend: impl Backend) -> Self {
        self.l2 = Some(Arc::new(backend));
        self
    }

    /// The longest that a call waits for one operation of L2; a read that misses makes three of them. Default: 250 ms; from 1 ms
    /// to an hour.
    pub fn l2_deadline(mut self, deadline: Duration) -> Self {
        self.l2_deadline = deadline;
        self
    }

    /// When calls stop asking an L2 that fails, and when they try again. Default: see [`BreakerSettings`].
    pub fn breaker(mut self, breaker: BreakerSettings) -> Self {
        self.breaker = breaker;
        self
    }

    /// The TTL map. Default: empty, so that every cache has the default policy.
    pub fn policies(mut self, policies: Policies) -> Self {
        self.policies = policies;
        self
    }

    /// The codec of caches that name none, here or in the TTL map. Default: JSON.
    pub fn codec(mut self, codec: Format) -> Self {
        self.settings.codec = codec;
        self
    }

    /// Seals what is stored in L2 by this key, and reads nothing that is not sealed by it: for a shared store that others can
    /// write to. What they forged, changed or moved from one key to another is a miss, counted in
    /// [`Stats::unsealed`](crate::Stats::unsealed). All processes of the namespace must have it: the entries of one that has not
    /// are misses too. Default: none, and what is sealed is read without being checked.
    ///
    /// It hides nothing, and does not keep those who can write there from putting back an older entry of a key together with
    /// the marks that it rested on, or from removing entries.
    pub fn integrity(mut self, key: impl Into<IntegrityKey>) -> Self {
        let accepted = Vec::new();
        self.settings.seal = Some(Seal { key: key.into(), accepted });
        self
    }

    /// Reads what is sealed by this key too. To change keys with no miss: let all processes accept the new one, then let all
    /// seal with it and accept the old one, and drop that when its entries have expired.
    pub fn accept_integrity(mut self, key: impl Into<IntegrityKey>) -> Self {
        self.accepted.push(key.into());
        self
    }

    /// How long L1 may keep an entry of a stack with an L2, where the policy does not say. Default: as long as it lives.
    ///
    /// No promise needs it: what others revoke is dropped when their message arrives, and not served beyond
    /// [`max_staleness`](Self::max_staleness) in any case.
    pub fn l1_ttl(mut self, ttl: Duration) -> Self {
        self.settings.l1_ttl = ttl;
        self
    }

    /// The longest that this process serves from L1 what another one has revoked, whatever happens to the messages that
    /// tell it so. Default: 1 s; at least 10 ms.
    ///
    /// As a rule it takes about a millisecond. The bound counts when the shared store, or the way to it, is slow or gone:
    /// then an entry that is not known to be current is validated in L2 before it is served, or loaded anew. A heartbeat
    /// goes out three times in this span.
    pub fn max_staleness(mut self, longest: Duration) -> Self {
        self.settings.max_staleness = longest;
        self
    }

    /// Keeps entries valid when the shared store turns out to be another server than before, after a restart or a promotion.
    /// Default: they are all revoked, once, since that server may have lost invalidations that were acknowledged.
    pub fn keep_warm_on_failover(mut self) -> Self {
        self.settings.keep_warm = true;
        self
    }

    /// How long the guard of a [guarded write](crate::Cache::write) outlives a process that died. While the write runs it
    /// is prolonged. Default: 10 s.
    pub fn guard_ttl(mut self, ttl: Duration) -> Self {
        self.settings.guard_ttl = ttl;
        self
    }

    /// How long a lease lives in L2 unless its holder, who is loading, extends it: so long the fleet waits for a process
    /// that died. Default: 3 s.
    pub fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.settings.lease_ttl = ttl;
        self
    }

    /// The longest that a call waits for another process's load before it loads by itself. Default: 10 s.
    pub fn lease_wait(mut self, wait: Duration) -> Self {
        self.settings.patience.budget = wait;
        self
    }

    /// The most loads that run at once behind calls that were answered with a stale value
    /// ([`stale_while_revalidate`](crate::policy::Policy::stale_while_revalidate)). While there are so many, such a call begins
    /// none. Default: 64.
    pub fn max_refreshes(mut self, most: usize) -> Self {
        self.settings.max_refreshes = most;
        self
    }

    /// The most loads that run at once in this process, over all caches; those beyond wait, in their order and within their
    /// [`hard_timeout`](crate::policy::Policy::hard_timeout). A load that another load asks for needs no room of its own. At
    /// least 1. Default: as many as there are.
    pub fn max_loads(mut self, most: usize) -> Self {
        self.settings.max_loads = Some(most);
        self
    }

    /// The most loads that wait for room, here and in each cache with a [`max_loads`](crate::policy::Policy::max_loads) of its
    /// own. Those beyond fail at once with [`ErrorKind::Overloaded`], unless a stale value stands in. Default: 10,000.
    pub fn max_waiting_loads(mut self, most: usize) -> Self {
        self.settings.max_waiting_loads = most;
        self
    }

    /// Builds the stack and asks L2 for a sign of life.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a setting that can't work, with the way out; a permanent error of the shared store
    /// ([`ErrorKind::Denied`], [`ErrorKind::Unsupported`]). One that is merely away is no error: its callers are served
    /// without it until it is back.
    pub async fn build(self) -> Result<Stack> {
        let inner = Arc::new(self.assemble()?);
        if let Some(l2) = &inner.l2 {
            l2.check().await?;
            inner.begin_to_follow().await?;
        }
        inner.ensure_tended();
        Ok(Stack::from_inner(inner))
    }

    /// All that needs no I/O.
    pub(super) fn assemble(mut self) -> Result<StackInner> {
        let namespace = Namespace::new(&self.namespace)?;
        self.check()?;
        if let Some(seal) = &mut self.settings.seal {
            seal.accepted = self.accepted;
        }
        let any_tag = namespace.any_tag();
        let hub = Arc::<Hub>::default();
        let process = ProcessId::random();
        let (now, max_staleness) = (clock::now(), self.settings.max_staleness);
        let proof = match &self.l2 {
            Some(_) => Proof::new(now, max_staleness),
            None => Proof::unneeded(now),
        };
        Ok(StackInner {
            domain: encode::domain(&namespace),
            outbox: Mutex::new(Outbox::new(namespace.mark(), OUTBOX)),
            any_tag,
            log: namespace.log(),
            process,
            proof,
            follower: Mutex::new(Follower::new(process, max_staleness)),
            hurry: Arc::new(Notify::new()),
            attached: Notify::new(),
            fleet: AtomicU64::new(0),
            coherence: Coherence::new(namespace.name()),
            loads: self.settings.max_loads.map(|most| Bulkhead::new(most, self.settings.max_waiting_loads)),
            refreshes: Arc::new(Semaphore::new(self.settings.max_refreshes.min(Semaphore::MAX_PERMITS))),
            echoes: Mutex::default(),
            ledger: Ledger::new(namespace.clone()),
            namespace,
            settings: self.settings,
            policies: ArcSwap::from_pointee(self.policies),
            store: Store::new(self.l1),
            l2: self.l2.map(|backend| L2::new(backend, self.l2_deadline, self.breaker, Arc::clone(&hub))),
            hub,
            problems: Problems::default(),
            warmers: Warmers::default(),
            queued: AtomicUsize::new(0),
            deliveries: AtomicU64::new(0),
            caches: Mutex::new(HashMap::new()),
            cache_ids: AtomicU32::new(0),
            running: AtomicUsize::new(0),
            rested: Notify::new(),
            closed: AtomicBool::new(false),
            tended: AtomicBool::new(false),
            leases: Leases::default(),
        })
    }

    fn check(&self) -> Result<()> {
        let least = [
            ("l2_deadline", self.l2_deadline, Duration::from_millis(1)),
            ("l1_ttl", self.settings.l1_ttl, Duration::from_millis(1)),
            ("max_staleness", self.settings.max_staleness, Duration::from_millis(10)),
            ("guard_ttl", self.settings.guard_ttl, Duration::from_millis(100)),
            ("lease_ttl", self.settings.lease_ttl, Duration::from_millis(100)),
        ];
        for (name, value, least) in least {
            if value < least {
                let context = format!("{name} is {value:?}; give it {least:?} or more");
                return Err(Error::new(ErrorKind::Config, "build").context(context));
            }
        }
        if self.l2_deadline > LONGEST_DEADLINE {
            let context = format!("l2_deadline is {:?}; give it {LONGEST_DEADLINE:?} or less", self.l2_deadline);
            return Err(Error::new(ErrorKind::Config, "build").context(context));
        }
        if self.settings.max_loads == Some(0) {
            let context = "max_loads is 0, so nothing could be loaded; give 1 or more, or leave it out";
            return Err(Error::new(ErrorKind::Config, "build").context(context));
        }
        if self.settings.seal.is_none() && !self.accepted.is_empty() {
            let context = "it accepts an integrity key and has none to seal with; give it one by `integrity`";
            return Err(Error::new(ErrorKind::Config, "build").context(context));
        }
        self.breaker.check()?;
        self.policies.check()?;
        self.policies.check_codecs()
    }
}
