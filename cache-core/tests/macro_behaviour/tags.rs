//! Tags made of arguments.

use std::{fmt, sync::Arc};

use cache_core::{Stack, backend::Memory, cached};

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

/// An argument that is moved into the body may be spoken of inside of a text.
#[cached(tags = [format!("word:{word}")], skip(word, stack), stack = stack)]
async fn moved(word: String, stack: Stack) -> String {
    word
}

#[tokio::test]
async fn a_tag_may_be_formatted_of_what_is_moved() {
    let stack = stack().await;
    assert_eq!(moved("nut".into(), stack.clone()).await, "nut");
    stack.invalidate_tag("word:nut").await.unwrap();
    assert_eq!(moved("bolt".into(), stack).await, "bolt");
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

#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
struct Member {
    team: u32,
    badges: Vec<String>,
}

/// Its second run gives it to another team.
#[cached(
    tags = ["member:{id}", |member: &Member| format!("team:{}", member.team), |member| member.badges.clone()],
    cache = "member",
    stack = stack,
    skip(stack, runs),
)]
async fn member(id: u32, stack: &Stack, runs: &Runs) -> Result<Member, &'static str> {
    Ok(Member { team: runs.add(), badges: vec!["gold".into(), format!("number {id}")] })
}

#[cached(tags = [|found| found.as_ref().map(|word: &Arc<str>| word.to_string())], stack = stack, skip(stack, runs))]
fn found(id: u32, stack: &Stack, runs: &Runs) -> Option<Arc<str>> {
    runs.add();
    (id > 0).then(|| "word".into())
}

#[tokio::test]
async fn a_tag_may_be_made_of_what_was_loaded() {
    let store = Memory::new();
    let here = Stack::builder("test").l2(store.clone()).build().await.unwrap();
    let there = Stack::builder("test").l2(store).build().await.unwrap();
    let runs = Runs::default();
    for (tag, team) in [("team:1", 2), ("team:1", 2), ("number 7", 3), ("member:7", 4), ("gold", 5)] {
        for stack in [&here, &there] {
            member(7, stack, &runs).await.unwrap();
        }
        here.invalidate_tag(tag).await.unwrap();
        assert_eq!(member(7, &here, &runs).await.unwrap().team, team, "{tag}");
    }
}

#[tokio::test]
async fn what_is_inserted_is_tagged_by_itself_too() {
    let (stack, runs) = (stack().await, Runs::default());
    member::insert(7, &stack, &runs, Member { team: 70, badges: vec![] }).await.unwrap();
    stack.invalidate_tag("team:70").await.unwrap();
    assert_eq!(member::get(7, &stack, &runs).await, None);
}

#[tokio::test]
async fn a_synchronous_function_is_tagged_by_what_it_returned() {
    let (stack, runs) = (stack().await, Runs::default());
    for (id, loads) in [(1, 1), (0, 2), (1, 2), (0, 2)] {
        found(id, &stack, &runs);
        assert_eq!(runs.count(), loads);
    }
    stack.invalidate_tag("word").await.unwrap();
    assert_eq!((found::get(1, &stack, &runs), found::get(0, &stack, &runs)), (None, Some(None)));
    found::insert(2, &stack, &runs, Some("other".into())).unwrap();
    stack.invalidate_tag("other").await.unwrap();
    assert_eq!(found::get(2, &stack, &runs), None);
}
