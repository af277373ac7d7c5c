//! Tags made of arguments.

use std::{fmt, sync::Arc};

use cache_core::{Stack, cached};

use super::{Runs, stack};

struct Org(u32);

fn tag_of(org: &Org) -> String {
    format!("org:{}", org.0)
}

#[cached(tags = ["org:{org}", "user:{org}/{id:04}", "everyone", "{{org}}"], stack = stack, skip(stack, runs))]
async fn user(org: u32, id: u32, stack: &Stack, runs: Runs) -> u32 {
    runs.add()
}

#[tokio::test]
async fn a_tag_drops_what_it_was_made_of() {
    let (stack, runs) = (stack().await, Runs::default());
    for (tag, run) in [("org:7", 2), ("user:7/0001", 3), ("everyone", 4), ("{org}", 5), ("org:8", 5), ("{{org}}", 5)] {
        user(7, 1, &stack, runs.clone()).await;
        stack.invalidate_tag(tag).await.unwrap();
        assert_eq!(user(7, 1, &stack, runs.clone()).await, run, "{tag}");
    }
}

#[cached(tags = [tag_of(org), String::from("all"), 'x'], stack = stack, key = org.0)]
async fn by_expression(org: &Arc<Org>, stack: Stack, runs: Runs) -> u32 {
    runs.add()
}

#[tokio::test]
async fn a_tag_may_be_an_expression() {
    let (stack, runs) = (stack().await, Runs::default());
    let org = Arc::new(Org(7));
    for (tag, run) in [("org:7", 2), ("all", 3), ("x", 4)] {
        by_expression(&org, stack.clone(), runs.clone()).await;
        stack.invalidate_tag(tag).await.unwrap();
        assert_eq!(by_expression(&org, stack.clone(), runs.clone()).await, run, "{tag}");
    }
}

#[cached(tags = ["row:{row}"], stack = stack, skip(stack, runs))]
async fn of_a_part((row, column): (u32, u32), stack: &Stack, runs: &Runs) -> u32 {
    let _ = column;
    runs.add()
}

#[tokio::test]
async fn a_tag_may_name_a_part_of_an_argument() {
    let (stack, runs) = (stack().await, Runs::default());
    assert_eq!(of_a_part((1, 2), &stack, &runs).await, 1);
    assert_eq!(of_a_part((1, 2), &stack, &runs).await, 1);
    stack.invalidate_tag("row:1").await.unwrap();
    assert_eq!(of_a_part((1, 2), &stack, &runs).await, 2);
}

#[cached(tags = ["{label}"], skip(label))]
async fn labelled(id: u32, label: Loud) -> u32 {
    id
}

/// Counts how often it was formatted.
#[derive(Clone)]
struct Loud(Runs);

impl fmt::Display for Loud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.add();
        f.write_str("loud")
    }
}

#[tokio::test]
async fn a_hit_makes_no_tags() {
    let formatted = Runs::default();
    for _ in 0..3 {
        assert_eq!(labelled(1, Loud(formatted.clone())).await, 1);
    }
    assert_eq!(formatted.count(), 1);
}
