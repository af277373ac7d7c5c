//! The TTL map: how long each kind of data is kept stands in a file, apart from the code that loads it. Variables of the
//! environment replace single fields of it, and a cache's own word in code wins over both.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use std::time::Duration;

use cache_core::{Policies, Result, Stack};

const MAP: &str = r#"
    [default]
    ttl = "5m"
    jitter = 0.1            # up to a tenth of a lifetime is taken away by chance

    [kinds.plan]
    ttl = "1h"

    [kinds.usage]
    ttl = "1week"
    codec = "json"
    max_value_size = 65536
"#;

#[tokio::main]
async fn main() -> Result<()> {
    // `with_env()` reads the environment of the process; here it is made up.
    let environment = [("CACHE_PLAN_TTL", "30m"), ("CACHE_L1_TTL", "10s"), ("PATH", "/bin")];
    let policies = Policies::from_toml(MAP)?.with_vars(environment)?;
    let stack = Stack::builder("example").policies(policies).build().await?;

    // A cache is of the kind that has its name, or of the one it says.
    let plans = stack.cache::<u32, String>("plan").build()?;
    assert_eq!(plans.policy().ttl, Duration::from_secs(30 * 60));
    let archive = stack.cache::<u32, String>("old-plans").policy("usage").build()?;
    assert_eq!(archive.policy().ttl, Duration::from_secs(7 * 24 * 3600));
    assert_eq!(archive.policy().l1_ttl, Some(Duration::from_secs(10)));

    // What code says wins over the map; a kind that the map does not know has its default.
    let quotes = stack.cache::<u32, String>("quote").ttl(Duration::from_secs(60)).build()?;
    assert_eq!(quotes.policy().ttl, Duration::from_secs(60));
    let others = stack.cache::<u32, String>("other").build()?;
    assert_eq!(others.policy().ttl, Duration::from_secs(5 * 60));

    // Mistakes are found when the map is read, not when an entry fails to expire.
    let mistake = Policies::from_toml("[kinds.plan]\nttl = \"soon\"").expect_err("no time is called that");
    println!("{mistake}");

    // One variable turns all caching off.
    let off = Policies::from_toml(MAP)?.with_vars([("CACHE_ENABLED", "false")])?;
    let stack = Stack::builder("example").policies(off).build().await?;
    let plans = stack.cache::<u32, String>("plan").build()?;
    plans.get_with(&1, |_| async { "gold".into() }).await?;
    assert_eq!(plans.get(&1).await, None);
    Ok(())
}
