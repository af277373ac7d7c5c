//! Statistics for Prometheus: the library speaks to the `metrics` crate, and whichever recorder is installed gets them. A
//! service would serve this text at `/metrics`.
#![allow(clippy::print_stdout, reason = "it reports to a terminal")]

use cache_core::{Stack, backend::Memory};
use metrics_exporter_prometheus::PrometheusBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let prometheus = PrometheusBuilder::new().install_recorder()?;

    let stack = Stack::builder("example").l2(Memory::new()).build().await?;
    let plans = stack.cache::<u32, String>("plan").build()?;
    for id in [1, 1, 1, 2, 1, 2] {
        plans.get_with(&id, |_| async move { format!("plan {id}") }).await?;
    }
    plans.invalidate(&1).await?;

    // Recorders are told every second or so; before a scrape that must be exact, one says so.
    stack.publish_metrics();
    let text = prometheus.render();
    println!("{text}");

    let expected = [
        r#"cache_hits_total{namespace="example",cache="plan",tier="l1"} 4"#,
        r#"cache_misses_total{namespace="example",cache="plan"} 2"#,
        r#"cache_loads_total{namespace="example",cache="plan"} 2"#,
        r#"cache_invalidations_total{namespace="example",cache="plan"} 1"#,
    ];
    for line in expected {
        assert!(text.lines().any(|found| found == line), "`{line}` is not there");
    }
    Ok(())
}
