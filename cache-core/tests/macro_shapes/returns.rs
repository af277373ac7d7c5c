//! Return types.

use std::{io, sync::Arc};

use cache_core::{Error, ErrorKind, cached};
use serde::{Deserialize, Serialize};

#[tokio::test]
async fn an_option() {
    #[cached]
    async fn found(id: u32) -> Option<u32> {
        (id > 0).then_some(id)
    }
    assert_eq!((found(0).await, found(7).await), (None, Some(7)));
    assert_eq!((found::get(0).await, found::get(8).await), (Some(None), None));
}

#[tokio::test]
async fn a_result() {
    #[cached]
    async fn checked(id: u32) -> Result<u32, String> {
        if id == 0 { Err("none".into()) } else { Ok(id) }
    }
    assert_eq!((checked(0).await, checked(7).await), (Err("none".into()), Ok(7)));
    assert_eq!((checked::get(0).await, checked::get(7).await), (None, Some(7)));
}

#[tokio::test]
async fn a_result_of_an_option() {
    #[cached]
    async fn found(id: u32) -> Result<Option<u32>, String> {
        Ok((id > 0).then_some(id))
    }
    assert_eq!((found(0).await, found::get(0).await), (Ok(None), Some(None)));
}

#[tokio::test]
async fn an_option_of_a_result() {
    #[cached]
    async fn odd(id: u32) -> Option<Result<u32, String>> {
        Some(Err(id.to_string()))
    }
    assert_eq!((odd(7).await, odd::get(7).await), (Some(Err("7".into())), Some(Some(Err("7".into())))));
}

mod aliases {
    use cache_core::cached;

    type Result<T, E = &'static str> = std::result::Result<T, E>;

    #[cached]
    pub(super) async fn short(id: u8) -> Result<Option<u8>> {
        Ok(Some(id))
    }

    #[cached]
    pub(super) async fn long(id: u8) -> std::result::Result<Result<u8, String>, String> {
        Ok(if id == 0 { Err("none".to_owned()) } else { Ok(id) })
    }
}

#[tokio::test]
async fn an_alias_of_the_same_name() {
    aliases::short::insert(1, Some(7)).await.unwrap();
    assert_eq!((aliases::short(1).await, aliases::long(1).await), (Ok(Some(7)), Ok(Ok(1))));
    assert_eq!(aliases::long::get(1).await, Some(Ok(1)));
}

#[tokio::test]
async fn an_alias_of_another_name() {
    type Fallible = Result<Maybe, &'static str>;
    type Maybe = Option<u32>;
    #[cached]
    async fn aliased(id: u32) -> Fallible {
        if id == 0 { Err("none") } else { Ok(Some(id)) }
    }
    assert_eq!((aliased(0).await, aliased(7).await), (Err("none"), Ok(Some(7))));
    assert_eq!((aliased::get(0).await, aliased::get(7).await), (None, Some(Ok(Some(7)))));
}

#[tokio::test]
async fn a_result_of_ones_own() {
    mod own {
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub(super) enum Outcome {
            Done(u32),
            Failed(u32),
        }
    }
    #[cached]
    async fn attempted(id: u32) -> own::Outcome {
        if id > 0 { own::Outcome::Done(id) } else { own::Outcome::Failed(id) }
    }
    assert_eq!((attempted(0).await, attempted::get(0).await), (own::Outcome::Failed(0), Some(own::Outcome::Failed(0))));
    assert_eq!(attempted(7).await, own::Outcome::Done(7));
}

/// Not `Clone`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    rows: Vec<u32>,
}

#[tokio::test]
async fn an_arc_of_what_is_not_clone() {
    #[cached]
    async fn report(year: u16) -> Arc<Report> {
        Arc::new(Report { rows: vec![year.into()] })
    }
    let (one, two) = (report(2000).await, report(2000).await);
    assert!(Arc::ptr_eq(&one, &two));
    assert_eq!(one.rows, [2000]);
}

#[tokio::test]
async fn an_arc_of_an_unsized_type() {
    #[cached]
    async fn words(text: &str) -> Option<Arc<[Arc<str>]>> {
        Some(text.split(' ').map(Arc::from).collect())
    }
    let (one, two) = (words("a b").await.unwrap(), words("a b").await.unwrap());
    assert!(Arc::ptr_eq(&one, &two) && one.len() == 2);
}

#[tokio::test]
async fn an_error_in_an_arc() {
    #[cached]
    async fn read(id: u32) -> Result<u32, Arc<io::Error>> {
        if id == 0 { Err(Arc::new(io::Error::other("torn"))) } else { Ok(id) }
    }
    assert_eq!(read(0).await.unwrap_err().to_string(), "torn");
    assert_eq!((read(7).await.unwrap(), read::get(7).await, read::get(0).await), (7, Some(7), None));
}

#[tokio::test]
async fn an_error_behind_an_object_in_an_arc() {
    #[cached]
    async fn parsed(text: &str) -> Result<u32, Arc<dyn std::error::Error + Send + Sync>> {
        text.parse().map_err(|error: std::num::ParseIntError| Arc::from(Box::from(error)))
    }
    assert!(parsed("x").await.is_err());
    assert_eq!((parsed("7").await.unwrap(), parsed::get("7").await), (7, Some(7)));
}

#[derive(Clone, Debug)]
struct Failed(ErrorKind);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error.kind())
    }
}

#[tokio::test]
async fn an_error_that_the_caches_own_can_become() {
    #[cached]
    async fn torn(row: u32) -> Result<u32, Failed> {
        assert!(row > 0, "row {row} is torn");
        Ok(row)
    }
    assert_eq!(torn(0).await.unwrap_err().0, ErrorKind::Panicked);
    assert_eq!((torn(7).await.unwrap(), torn::get(7).await), (7, Some(7)));
}

#[tokio::test]
async fn tuples_arrays_and_units() {
    #[cached]
    async fn both(id: u32) -> (u32, [Option<String>; 2]) {
        (id, [None, Some(id.to_string())])
    }
    #[cached]
    async fn done(id: u32) -> Result<(), ()> {
        if id == 0 { Err(()) } else { Ok(()) }
    }
    assert_eq!((both(7).await, both::get(7).await.is_some()), ((7, [None, Some("7".into())]), true));
    assert_eq!((done(0).await, done(7).await, done::get(7).await), (Err(()), Ok(()), Some(())));
}

#[tokio::test]
async fn a_type_that_borrows_nothing_with_a_lifetime() {
    #[cached]
    async fn text(id: u32) -> std::borrow::Cow<'static, str> {
        if id == 0 { "none".into() } else { id.to_string().into() }
    }
    assert_eq!((text(0).await, text(7).await, text::get(7).await), ("none".into(), "7".into(), Some("7".into())));
}
