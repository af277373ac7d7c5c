//! Building a stack.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{Stack, StackInner};
use crate::{
    backend::Backend,
    breaker::BreakerSettings,
    codec::Format,
    coherence::{course::Patience, ledger::Ledger, outbox::Outbox},
    error::{Error, ErrorKind, Result},
    health::Problems,
    key::{Namespace, encode},
    l1::{L1, Store},
    l2::L2,
    policy::Policies,
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
}

/// What all caches of a stack share of its settings.
pub(crate) struct Settings {
    pub(crate) codec: Format,
    pub(crate) l1_ttl: Duration,
    pub(crate) lease_ttl: Duration,
    pub(crate) patience: Patience,
}

/// Invalidations that wait for L2 beyond this number are widened to the whole namespace.
const OUTBOX: usize = 10_000;

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
                l1_ttl: Duration::from_secs(5),
                lease_ttl: Duration::from_secs(3),
                patience: Patience {
                    first: Duration::from_millis(10),
                    longest: Duration::from_millis(160),
                    budget: Duration::from_secs(10),
                },
            },
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

    /// The longest that a call waits for one operation of L2; a read that misses makes three of them. Default: 250 ms.
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

    /// How long L1 may keep an entry of a stack with an L2, where the policy does not say. Default: 5 s.
    ///
    /// Other processes don't hear of an invalidation at once: this bounds how stale an entry can be there. A stack without
    /// an L2 keeps entries for their whole time to live.
    pub fn l1_ttl(mut self, ttl: Duration) -> Self {
        self.settings.l1_ttl = ttl;
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
        }
        inner.ensure_tended();
        Ok(Stack::from_inner(inner))
    }

    /// All that needs no I/O.
    pub(super) fn assemble(self) -> Result<StackInner> {
        let namespace = Namespace::new(&self.namespace)?;
        self.check()?;
        let any_tag = namespace.any_tag();
        Ok(StackInner {
            domain: encode::domain(&namespace),
            outbox: Mutex::new(Outbox::new(namespace.mark(), OUTBOX)),
            any_tag,
            log: namespace.log(),
            process: ProcessId::random(),
            namespace,
            settings: self.settings,
            policies: self.policies,
            store: Store::new(self.l1),
            l2: self.l2.map(|backend| L2::new(backend, self.l2_deadline, self.breaker)),
            ledger: Ledger::new(),
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
        })
    }

    fn check(&self) -> Result<()> {
        let least = [
            ("l2_deadline", self.l2_deadline, Duration::from_millis(1)),
            ("l1_ttl", self.settings.l1_ttl, Duration::from_millis(1)),
            ("lease_ttl", self.settings.lease_ttl, Duration::from_millis(100)),
        ];
        for (name, value, least) in least {
            if value < least {
                let context = format!("{name} is {value:?}; give it {least:?} or more");
                return Err(Error::new(ErrorKind::Config, "build").context(context));
            }
        }
        self.breaker.check()?;
        self.policies.check()?;
        self.policies.check_codecs()
    }
}
